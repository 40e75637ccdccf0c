"""From an HTTP request to the request message of its rpc."""

from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from gateway import schemas, shapes, strict_json
from gateway.bodies import JSON, MERGE_PATCH, BodyReader
from gateway.exchange import Request
from gateway.parameters import Parameters, path_names
from gateway.raw_bodies import Budget, RawBody, raw_field
from gateway.shapes import Shape
from gateway.validation import validate
from kit.contract import ContractError, Route, Rpc
from kit.errors import FieldError, Invalid

_SHAPES = {"POST": Shape.CREATE, "PUT": Shape.REPLACE, "PATCH": Shape.PATCH}
_MASK = "update_mask"


class Decoder:
    """Reads the requests of one route."""

    def __init__(self, rpc: Rpc, route: Route, *, most_bytes: int, budget: Budget, seconds: float) -> None:
        """`most_bytes`: the largest JSON body; `budget`: of raw ones. Raises ContractError when the request message
        cannot be read from HTTP."""
        self._class = rpc.request_class
        self._body: _Body | RawBody | None
        if raw := raw_field(rpc, route):
            self._body = RawBody(raw, budget, seconds)
        else:
            self._body = _body(rpc, route, most_bytes, seconds)
        self._parameters = Parameters(rpc, route)
        # A field and the header that it stands in.
        self._header = (rpc.credential or "", rpc.credential_header.encode()) if rpc.credential_header else None

    async def decode(self, request: Request) -> Message:
        """Raises Malformed, TooLarge, UnsupportedMediaType, TooManyRequests, or Invalid with every error at once."""
        sent: Any = await self._body.read(request) if self._body else {}
        fields, errors = self._parameters.read(request.path_values, request.query)
        if self._body:
            values, wrong = self._body.validate(sent)
            errors += wrong
            fields |= values
        if errors:
            raise Invalid.fields(*errors)
        if self._header:
            fields[self._header[0]] = request.headers[self._header[1]]
        return self._class(**fields)


class _Body:
    """A body that is one field of the request message (`name`), or with `*` all that is in no path parameter."""

    def __init__(self, name: str, message: Descriptor, shape: Shape, without: list[str], reader: BodyReader) -> None:
        self._name = name
        self._message = message
        self._patches = shape is Shape.PATCH
        self._validator = schemas.body_validator(message, shape, without)
        self._reader = reader

    async def read(self, request: Request) -> Any:
        return strict_json.loads(await self._reader.read(request))

    def validate(self, sent: Any) -> tuple[dict[str, Any], list[FieldError]]:
        """The fields of the request message, for its constructor."""
        values, errors = validate(self._validator, sent)
        if errors:
            return {}, errors
        if self._name == "*":
            return values, []
        if self._patches:
            return {self._name: values, _MASK: FieldMask(paths=mask_paths(self._message, values))}, []
        return {self._name: values}, []


def mask_paths(message: Descriptor, values: dict[str, Any], prefix: str = "") -> list[str]:
    """The paths of the fields that a merge patch sets or clears (RFC 7396). A patch of a nested message names its
    fields one by one; a list or map is replaced as a whole."""
    paths: list[str] = []
    for name, value in values.items():
        field = message.fields_by_name[name]
        if isinstance(value, dict) and field.message_type and not field.is_repeated:
            paths += mask_paths(field.message_type, value, f"{prefix}{name}.")
        else:
            paths.append(prefix + name)
    return paths


def body_message(rpc: Rpc, route: Route) -> tuple[Descriptor, Shape, list[str]] | None:
    """The message in a route's body, its shape, and the fields of it that stand in the path; None: no body."""
    whole = rpc.descriptor.input_type
    if route.body == "*":
        without = path_names(route)
        return (whole, Shape.CREATE, without) if len(without) < len(whole.fields) else None
    if not route.body:
        return None
    field = whole.fields_by_name.get(route.body)
    if field is None or field.message_type is None or field.is_repeated or shapes.is_well_known(field.message_type):
        raise ContractError(f"{rpc.path}: the body '{route.body}' must be a message field")
    return field.message_type, _SHAPES[route.verb], []


def body_types(route: Route) -> tuple[str, ...]:
    """The media types that a route's body may have."""
    return (JSON, MERGE_PATCH) if route.verb == "PATCH" else (JSON,)


def _body(rpc: Rpc, route: Route, most_bytes: int, seconds: float) -> _Body | None:
    found = body_message(rpc, route)
    if found is None:
        return None
    message, shape, without = found
    if shape is Shape.PATCH and _MASK not in rpc.descriptor.input_type.fields_by_name:
        raise ContractError(f"{rpc.path}: a PATCH needs a field {_MASK}")
    return _Body(route.body, message, shape, without, BodyReader(body_types(route), most_bytes, seconds))
