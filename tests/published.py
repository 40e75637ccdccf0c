"""The published OpenAPI, read as whoever looks for its weak places does: which texts there are, and how to get there.
A field that is new in the contract is found by itself."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.platform import Api

NO_ONE = "01890000-0000-7000-8000-000000000000"
Schema = Mapping[str, Any]
# The way to a text in a body: the names of fields, and of what stands in a list or map one of these.
ITEM, NAME, VALUE = object(), object(), object()
Place = tuple[Any, ...]
_SAMPLES = {"uuid": NO_ONE, "date-time": "2030-01-01T00:00:00Z", "date": "2030-01-01", "email": "a@b.example"}
# No two samples are alike: an alert that is like another is only counted.
_numbers = itertools.count(1)


class Document:
    """What the gateway of `api` publishes, but for paths that begin with one of `without`."""

    def __init__(self, api: Api, without: tuple[str, ...] = ()) -> None:
        self._whole: Schema = api.get("/openapi").json()
        self._without = without

    def operations(self) -> Iterator[tuple[str, str, Schema]]:
        for path, item in self._whole["paths"].items():
            for verb, operation in item.items():
                if verb in ("get", "post", "put", "patch", "delete") and not path.startswith(self._without):
                    yield verb.upper(), path, operation

    def parameters(self, operation: Schema, place: str) -> list[Schema]:
        found = [self.resolved(each) for each in operation.get("parameters", ())]
        return [each for each in found if each["in"] == place]

    def body(self, operation: Schema) -> Schema | None:
        content = operation.get("requestBody", {}).get("content", {})
        found = next((content[each] for each in content if each.endswith("json")), None)
        schema = self.resolved(found["schema"]) if found and "schema" in found else {}
        return schema if "properties" in schema else None

    def resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema or "anyOf" in schema:
            if "anyOf" in schema:
                # What may be null.
                schema = schema["anyOf"][0]
                continue
            target: Any = self._whole
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def is_text(self, schema: Schema) -> bool:
        found = self.resolved(schema)
        return "string" in _kinds(found) and "enum" not in found

    def is_free(self, schema: Schema, place: Sequence[Any]) -> bool:
        """Whether the text there may be any, as far as the document says it."""
        for step in place:
            found = self.resolved(schema)
            if step in (NAME, VALUE):
                schema = found.get("additionalProperties", {})
            else:
                schema = found["items"] if step is ITEM else found["properties"][step]
        return not {"format", "pattern"} & set(self.resolved(schema))

    def texts(self, schema: Schema) -> Iterator[Place]:
        """The ways to all texts in a body, names in maps among them."""
        found = self.resolved(schema)
        if self.is_text(found):
            yield ()
        elif "array" in _kinds(found):
            yield from ((ITEM, *rest) for rest in self.texts(found["items"]))
        elif "properties" in found:
            for name, each in found["properties"].items():
                yield from ((name, *rest) for rest in self.texts(each))
        elif "object" in _kinds(found):
            yield (NAME,)
            yield from ((VALUE, *rest) for rest in self.texts(found.get("additionalProperties", {"type": "string"})))

    def filled(self, schema: Schema, place: Sequence[Any], text: str, known: Mapping[str, str]) -> Any:
        """A sample with `text` in that place."""
        if not place:
            return text
        found, (first, *rest) = self.resolved(schema), place
        if first is ITEM:
            return [self.filled(found["items"], rest, text, known)]
        if first in (NAME, VALUE):
            values = found.get("additionalProperties", {"type": "string"})
            return (
                {text: self.sample(values, "", known)}
                if first is NAME
                else {"name": self.filled(values, rest, text, known)}
            )
        whole = self.sample({**found, "type": "object"}, "", known)
        return {**whole, first: self.filled(found["properties"][first], rest, text, known)}

    def sample(self, schema: Schema, name: str, known: Mapping[str, str]) -> Any:
        """Something that may be there, to get past what is not probed."""
        found = self.resolved(schema)
        kinds = _kinds(found)
        if name in known:
            return known[name]
        if "enum" in found:
            return found["enum"][0]
        if "object" in kinds:
            properties = found.get("properties", {})
            return {each: self.sample(properties[each], each, known) for each in found.get("required", ())}
        if "array" in kinds:
            return [self.sample(found["items"], name, known)] if found.get("minItems") else []
        if {"integer", "number"} & kinds:
            return found.get("minimum", 1)
        if "boolean" in kinds:
            return False
        return _SAMPLES.get(found.get("format", ""), "1" if "pattern" in found else f"Sample {next(_numbers)}")


def follow(value: Any, place: Sequence[Any], otherwise: str) -> Any:
    """What stands in that place of an answer; `otherwise` where the answer has no such place."""
    for step in place:
        if step is ITEM and isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif step in (NAME, VALUE) and isinstance(value, dict) and len(value) == 1:
            [(name, inner)] = value.items()
            value = name if step is NAME else inner
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return otherwise
    return value


def _kinds(schema: Schema) -> set[str]:
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)
