"""The JSON schemas (2020-12) of the contract's messages, as named components of the OpenAPI document."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from pydantic.json_schema import GenerateJsonSchema

from gateway import schemas, shapes
from gateway.shapes import Property, Shape
from kit import contract
from kit.contract import ContractError
from opsfield.options.v1 import field_pb2

Json = dict[str, Any]

# Only what the pattern ensures: an e-mail address of ours need not be one of RFC 5321.
_FORMATS = {field_pb2.UUID: "uuid", field_pb2.DATE: "date"}
_WIDTHS = {
    FieldDescriptor.CPPTYPE_INT32: "int32",
    FieldDescriptor.CPPTYPE_INT64: "int64",
    FieldDescriptor.CPPTYPE_DOUBLE: "double",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
}
_WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
}


class Components:
    """Collects the schemas that are referred to. A name is the message's own (nested ones joined: `TicketStatus`) and
    the shape's ending: `Ticket`, `TicketCreate`, `TicketReplace`, `TicketPatch`."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self.schemas: dict[str, Json] = {}
        self._comments = comments
        self._owners: dict[str, tuple[str, Shape]] = {}
        self._scalars: dict[str, Json] = {}

    def message(
        self, message: Descriptor, shape: Shape, without: Collection[str] = (), ending: str | None = None
    ) -> Json:
        """A reference to the schema of `message` in `shape`, but for the fields named in `without`. Raises
        ContractError when two messages would have one name."""
        if message.full_name in _WELL_KNOWN:
            return _WELL_KNOWN[message.full_name]
        name = _name(message) + (shape.value if ending is None else ending)
        if self._is_new(name, message.full_name, shape):
            self.schemas[name] = {}
            self.schemas[name] |= self._object(message, shape, without)
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field: FieldDescriptor, shape: Shape) -> Json:
        """The schema of a field's value, without its description."""
        if shapes.is_map(field):
            assert field.message_type is not None
            values = self._single(field.message_type.fields_by_name["value"], shape)
            return {"type": "object", "additionalProperties": values} | _limit("maxProperties", field)
        if field.is_repeated:
            return {"type": "array", "items": self._single(field, shape)} | _limit("maxItems", field)
        return self._single(field, shape)

    def described(self, field: FieldDescriptor) -> Json:
        """`description` from the field's comment, when it has one."""
        comment = self._comments.get(field.full_name)
        return {"description": comment} if comment else {}

    def _is_new(self, name: str, full_name: str, shape: Shape) -> bool:
        owner = self._owners.setdefault(name, (full_name, shape))
        if owner != (full_name, shape):
            raise ContractError(f"{full_name} and {owner[0]} would both be called {name} in the API: rename one")
        return name not in self.schemas

    def _object(self, message: Descriptor, shape: Shape, without: Collection[str]) -> Json:
        found = [each for each in shapes.properties(message, shape) if each.field.name not in without]
        shown = [each for each in found if not each.read_only or shape is Shape.REPLACE]
        schemas_by_name = {each.field.json_name: self._property(each, shape) for each in shown}
        schema: Json = {"type": "object", "properties": schemas_by_name}
        if required := [each.field.json_name for each in shown if each.required]:
            schema["required"] = required
        if shape is not Shape.READ:
            schema["additionalProperties"] = False
        if comment := self._comments.get(message.full_name):
            schema["description"] = comment
        return schema

    def _property(self, each: Property, shape: Shape) -> Json:
        if each.read_only:
            return {"description": "Ignored: it is the platform's to set."}
        schema = self.field(each.field, shapes.inner(each.field, shape))
        if each.nullable:
            schema = _nullable(schema)
        return schema | _annotations(each.field, shape) | self.described(each.field)

    def _single(self, field: FieldDescriptor, shape: Shape) -> Json:
        if field.enum_type is not None:
            return self._enum(field.enum_type, field)
        if field.message_type is not None:
            return self.message(field.message_type, shape)
        return self._scalar(field, shape)

    def _scalar(self, field: FieldDescriptor, shape: Shape) -> Json:
        rules = schemas.scalar(field)
        # Of two thousand fields, not even one in ten has rules that no other has.
        if (text := repr(rules)) not in self._scalars:
            self._scalars[text] = GenerateJsonSchema().generate(rules)
        schema = self._scalars[text]
        if shape is Shape.READ:
            # Limits are promises that callers make.
            schema = {"type": schema["type"]}
        written = _FORMATS.get(contract.field_options(field).format) or _WIDTHS.get(field.cpp_type)
        return schema | ({"format": written} if written else {})

    def _enum(self, enum: EnumDescriptor, field: FieldDescriptor) -> Json:
        name = _name(enum)
        if self._is_new(name, enum.full_name, Shape.READ):
            self.schemas[name] = {"type": "string", "enum": list(contract.enum_words(field))} | self._enum_text(enum)
        return {"$ref": f"#/components/schemas/{name}"}

    def _enum_text(self, enum: EnumDescriptor) -> Json:
        comments = [(value.name, self._comments.get(f"{enum.full_name}.{value.name}")) for value in enum.values]
        lines = [f"- `{name.lower()}`: {comment}" for name, comment in comments if comment]
        text = "\n".join([self._comments.get(enum.full_name, ""), *lines]).strip()
        return {"description": text} if text else {}


def _name(descriptor: Descriptor | EnumDescriptor) -> str:
    return descriptor.full_name.removeprefix(f"{descriptor.file.package}.").replace(".", "")


def _annotations(field: FieldDescriptor, shape: Shape) -> Json:
    """What a reader should know beside the type: a setting's default, that a secret which is sent never comes back."""
    setting = contract.setting_options(field)
    default = {"default": orjson.loads(setting.default)} if setting and setting.default else {}
    is_secret = contract.field_options(field).sensitive and shape is not Shape.READ
    return default | ({"writeOnly": True} if is_secret else {})


def _nullable(schema: Json) -> Json:
    if isinstance(schema.get("type"), str):
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def _limit(word: str, field: FieldDescriptor) -> Json:
    most = contract.field_options(field).max_items
    return {word: most} if most else {}
