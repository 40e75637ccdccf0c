"""JSON schemas (draft 2020-12), written in few words. Pure.

Each object says all its fields, all of them there, and no others; what may be absent is null.
"""

from typing import Any

Schema = dict[str, Any]


def document(fields: Schema) -> Schema:
    """The schema of a whole input or output, from that of its object."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **fields}


def record(description: str, /, *, optional: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """An object with these fields; those that are `optional` may be left out."""
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def text(description: str, **limits: Any) -> Schema:
    return {"type": "string", "description": description, **limits}


def identifier(description: str) -> Schema:
    """The id of a resource."""
    return text(description, pattern="^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")


def word(description: str, *words: str) -> Schema:
    """One of these words."""
    return {"type": "string", "description": description, "enum": list(words)}


def whole(description: str, **limits: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "description": description, **limits}


def share(description: str) -> Schema:
    """A number from 0 to 1."""
    return {"type": "number", "description": description, "minimum": 0, "maximum": 1}


def amount(description: str) -> Schema:
    """An amount of money, as a decimal string."""
    return text(description, pattern=r"^[0-9]+(\.[0-9]+)?$")


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def several(description: str, item: Schema, **limits: Any) -> Schema:
    """A list."""
    return {"type": "array", "description": description, "items": item, **limits}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    changed = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        changed["enum"] = [*schema["enum"], None]
    return changed


REASONS = several("Why, in sentences; the weightiest first.", text("A reason."))
