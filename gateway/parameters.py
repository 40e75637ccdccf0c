"""The path and query parameters of a route: all fields of the request message that neither the body nor a header
carries."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import schemas
from gateway.validation import validate
from kit import contract
from kit.contract import ContractError, Route, Rpc
from kit.errors import FieldError, Malformed

_MOST_PARAMETERS = 100
_TEXTS = (FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM, FieldDescriptor.CPPTYPE_MESSAGE)
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_BOOLEANS: dict[str, bool] = {"1": True, "true": True, "0": False, "false": False}


def path_names(route: Route) -> list[str]:
    """The names of a route's path parameters."""
    return re.findall(r"\{([a-z0-9_]+)\}", route.path)


def listed(message: Descriptor) -> Descriptor | None:
    """The resource that a list's answer holds in `data`; None when the answer is no list."""
    data = message.fields_by_name.get("data")
    return data.message_type if data and data.is_repeated else None


def sortable_words(rpc: Rpc) -> list[str]:
    """What `sortBy` may be on this rpc."""
    resource = listed(rpc.descriptor.output_type)
    return list(contract.sortable_fields(resource)) if resource else []


def split(rpc: Rpc, route: Route) -> tuple[list[FieldDescriptor], list[FieldDescriptor]]:
    """The fields in the path and the fields in the query. Raises ContractError for a path parameter without a field."""
    fields, names = rpc.descriptor.input_type.fields_by_name, path_names(route)
    if unknown := set(names) - set(fields):
        raise ContractError(f"{rpc.path}: no field for the path parameters {sorted(unknown)}")
    elsewhere = {*names, route.body, "update_mask", *([rpc.credential] if rpc.credential_header else ())}
    in_query = [field for field in fields.values() if field.name not in elsewhere and route.body != "*"]
    return [fields[name] for name in names], in_query


class Parameters:
    """Reads the parameters of one route."""

    def __init__(self, rpc: Rpc, route: Route) -> None:
        in_path, in_query = split(rpc, route)
        self._path = [(field.name, field.json_name, _converter(field)) for field in in_path]
        self._query = {field.json_name: (field.is_repeated, _converter(field)) for field in in_query}
        self._validator = schemas.parameter_validator([*in_path, *in_query], sortable_words(rpc))

    def read(self, path_values: dict[str, str], query: bytes) -> tuple[dict[str, Any], list[FieldError]]:
        """The values by field name, defaults included, and every error. Raises Malformed when the query is no query."""
        values, errors = self._read_query(query) if query else ({}, [])
        for name, json_name, convert in self._path:
            values[json_name] = convert(path_values[name])
        if b"%00" in query or "\0" in "".join(path_values.values()):
            errors += [FieldError(json_name, _NUL) for json_name, value in values.items() if _holds_nul(value)]
        found, invalid = validate(self._validator, values)
        return found or {}, errors + invalid

    def _read_query(self, query: bytes) -> tuple[dict[str, Any], list[FieldError]]:
        values: dict[str, Any] = {}
        errors = []
        for json_name, text in _pairs(query):
            if json_name not in self._query:
                errors.append(FieldError(json_name[:200], "is not a known parameter"))
                continue
            repeats, convert = self._query[json_name]
            if repeats:
                values.setdefault(json_name, []).append(convert(text))
            elif json_name in values:
                errors.append(FieldError(json_name, "may be given only once"))
            else:
                values[json_name] = convert(text)
        return values, errors


_NUL = "must not contain the character NUL"


def _holds_nul(value: Any) -> bool:
    return any("\0" in each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except UnicodeDecodeError as error:
        raise Malformed("The query is not percent-encoded UTF-8.", code="malformed-query") from error
    except ValueError as error:
        raise Malformed(f"The query has more than {_MOST_PARAMETERS} parameters.", code="malformed-query") from error


def _converter(field: FieldDescriptor) -> Callable[[str], Any]:
    """From text to the field's type; a text that is none stays, for the validator to refuse."""
    if field.cpp_type in _TEXTS:
        return str
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda text: _BOOLEANS.get(text, text)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return lambda text: float(text) if _NUMBER.fullmatch(text) else text
    return lambda text: int(text) if _WHOLE.fullmatch(text) else text
