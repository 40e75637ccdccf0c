"""JSON schemas that agents bring: which of them can be used. Pure.

They are someone else's, and checking a value against one happens in our processes: so a schema that could keep one busy
(regular expressions, references that multiply, comparisons of all with all) is not used at all. The agent checks its
inputs itself anyway.
"""

import json
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

Json = dict[str, Any]

_MOST_BYTES = 64 * 1024
# With each reference written out.
_MOST_PARTS = 1000
_COSTLY = frozenset({"pattern", "uniqueItems", "$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor"})
# Their values are schemas too.
_COSTLY_PARTS = frozenset({"patternProperties", "unevaluatedProperties", "unevaluatedItems"})
_LOCAL = "#/$defs/"


class _Unusable(Exception):
    pass


def usable(schema: Any) -> Json | None:
    """The schema, when it can be used; else None."""
    if not isinstance(schema, dict):
        return None
    try:
        if len(json.dumps(schema)) > _MOST_BYTES:
            return None
        Draft202012Validator.check_schema(schema)
        _count(schema, schema.get("$defs", {}), (), 0)
    except (SchemaError, _Unusable, RecursionError, ValueError, TypeError):
        return None
    return schema


def _count(part: Any, definitions: Json, inside: tuple[str, ...], count: int) -> int:
    """How many parts there are, from `count` on. Raises _Unusable."""
    count += 1
    if count > _MOST_PARTS:
        raise _Unusable
    if isinstance(part, list):
        for each in part:
            count = _count(each, definitions, inside, count)
    elif isinstance(part, dict):
        # A property may have any name: `pattern`, too. Then its value is a schema, which this takes for the keyword's.
        if any(name in part and not isinstance(part[name], dict) for name in _COSTLY) or part.keys() & _COSTLY_PARTS:
            raise _Unusable
        for name, value in part.items():
            if name == "$ref":
                count = _count_reference(value, definitions, inside, count)
            elif name not in ("$defs", "enum", "const", "default", "examples"):
                count = _count(value, definitions, inside, count)
    return count


def _count_reference(reference: Any, definitions: Json, inside: tuple[str, ...], count: int) -> int:
    name = reference.removeprefix(_LOCAL) if isinstance(reference, str) else ""
    if name in inside or name not in definitions or reference != _LOCAL + name:
        raise _Unusable
    return _count(definitions[name], definitions, (*inside, name), count)
