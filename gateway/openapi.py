"""The OpenAPI 3.1 document of the whole API, from the contract and the protos' comments. Built once, at start-up."""

from collections.abc import Iterable, Mapping

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import FieldDescriptor

from gateway import comments, openapi_parts, raw_bodies
from gateway.bodies import JSON
from gateway.openapi_schemas import Components, Json
from gateway.parameters import sortable_words, split
from gateway.requests import body_message, body_types
from gateway.responses import has_location, has_version
from gateway.shapes import Shape
from kit import contract
from kit.contract import Route, Rpc
from opsfield.common.v1 import problem_pb2
from opsfield.options.v1 import field_pb2, policy_pb2

_BINARY: Json = {"type": "string", "format": "binary"}


def build(rpcs: Iterable[Rpc], texts: Mapping[str, str], version: str) -> bytes:
    """The document as JSON. `texts`: comments by full name. Raises ContractError when the contract cannot be told."""
    components = Components(texts)
    components.message(problem_pb2.DESCRIPTOR.message_types_by_name["Problem"], Shape.READ)
    paths: dict[str, Json] = {}
    tags: dict[str, str] = {}
    for rpc in rpcs:
        for number, route in enumerate(rpc.routes):
            operation = _Operation(rpc, route, components, texts).document(number)
            paths.setdefault(_json_path(rpc, route), {})[route.verb.lower()] = operation
            tags[_tag(rpc)] = texts.get(rpc.descriptor.containing_service.file.name, "")
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": openapi_parts.INFO | {"version": version},
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}],
            "tags": [{"name": name, "description": text} for name, text in sorted(tags.items())],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(components.schemas.items())),
                "parameters": openapi_parts.PARAMETERS,
                "headers": openapi_parts.HEADERS,
                "responses": openapi_parts.RESPONSES,
                "securitySchemes": openapi_parts.SECURITY_SCHEMES,
            },
        }
    )


class _Operation:
    def __init__(self, rpc: Rpc, route: Route, components: Components, texts: Mapping[str, str]) -> None:
        self._rpc = rpc
        self._route = route
        self._components = components
        self._comment = texts.get(f"{rpc.descriptor.containing_service.full_name}.{rpc.name}", rpc.name)
        self._in_path, self._in_query = split(rpc, route)
        self._raw = raw_bodies.raw_field(rpc, route)
        self._body = None if self._raw else body_message(rpc, route)
        self._conditional = has_version(rpc.descriptor.output_type)
        self._terms = rpc.policy.signature
        self._signature = self._terms if rpc.access == "signature" else None
        self._is_timed = self._terms.scheme == policy_pb2.Signature.STRIPE

    def document(self, number: int) -> Json:
        """`number`: which of the rpc's routes it is."""
        operation: Json = {
            "operationId": self._rpc.name[0].lower() + self._rpc.name[1:] + (str(number + 1) if number else ""),
            "summary": comments.summary(self._comment),
            "description": self._description(),
            "tags": [_tag(self._rpc)],
            "parameters": self._parameters(),
            "responses": self._responses(),
        }
        if self._raw:
            operation["requestBody"] = self._raw_body(contract.field_options(self._raw).raw)
        elif self._body:
            operation["requestBody"] = self._request_body()
        if self._rpc.access != "roles":
            operation["security"] = []
        else:
            operation["x-opsfield-roles"] = sorted(self._rpc.roles)
        return operation

    def _description(self) -> str:
        if self._rpc.credential_header:
            return f"{self._comment}\n\nNeeds no token, but the header `{self._rpc.credential_header}`."
        if self._rpc.access == "public":
            return f"{self._comment}\n\nNeeds no token."
        if self._is_timed:
            signed = f"`{self._terms.header}` must be a signature of the body and the time"
            return f"{self._comment}\n\nNeeds no token: {signed}."
        if self._signature:
            return (
                f"{self._comment}\n\nNeeds no token: `{self._signature.header}` must be a signature of the body. While "
                "no secret is set, a production platform answers 503 and any other takes what is not signed."
            )
        return f"{self._comment}\n\nRoles: {', '.join(f'`{role}`' for role in sorted(self._rpc.roles))}."

    def _parameters(self) -> list[Json]:
        shared = [openapi_parts.parameter("correlation-id")]
        if self._rpc.policy.tenancy == policy_pb2.CALLER_WORKSPACE:
            shared.append(openapi_parts.parameter("workspace-id"))
        if self._rpc.policy.tenancy == policy_pb2.TOKEN_WORKSPACE:
            shared.append(openapi_parts.parameter("token-workspace-id"))
        if self._rpc.credential_header:
            shared.append(openapi_parts.parameter(self._rpc.credential_header))
        if self._rpc.needs_key:
            shared.append(openapi_parts.parameter("idempotency-key"))
        if self._conditional and self._route.verb == "GET":
            shared.append(openapi_parts.parameter("if-none-match"))
        if self._takes_if_match():
            shared.append(openapi_parts.parameter("if-match"))
        if self._is_timed:
            shared.append(openapi_parts.timed_webhook_parameter(self._terms.header))
        elif self._signature:
            shared += openapi_parts.webhook_parameters(self._signature.header, self._signature.delivery_header)
        in_path = [self._parameter(field, "path") for field in self._in_path]
        return in_path + [self._parameter(field, "query") for field in self._in_query] + shared

    def _takes_if_match(self) -> bool:
        return self._rpc.needs_key and (bool(self._in_path) or (self._conditional and self._route.verb != "POST"))

    def _parameter(self, field: FieldDescriptor, place: str) -> Json:
        schema = self._components.field(field, Shape.CREATE)
        if field.name == "sort_by" and (words := sortable_words(self._rpc)):
            schema = {"type": "string", "enum": words}
        if default := contract.field_options(field).default:
            schema = schema | {"default": default}
        required = place == "path" or contract.is_required(field)
        found = {"name": field.json_name, "in": place, "required": required, "schema": schema}
        return found | self._components.described(field)

    def _request_body(self) -> Json:
        assert self._body
        message, shape, without = self._body
        ending = "" if self._route.body == "*" else None
        schema = self._components.message(message, shape, without, ending)
        return {"required": True, "content": {each: {"schema": schema} for each in body_types(self._route)}}

    def _raw_body(self, raw: field_pb2.Raw) -> Json:
        encodings = ", ".join(["none", *(f"`{each}`" for each in raw.encodings)])
        return {
            "required": True,
            "description": f"Content-Encoding: {encodings}. At most {raw.maximum_bytes} bytes as sent.",
            "content": {each: {"schema": self._raw_schema(raw, each)} for each in raw.media_types},
        }

    def _raw_schema(self, raw: field_pb2.Raw, media_type: str) -> Json:
        if not (media_type == JSON or media_type.endswith("+json")):
            return _BINARY
        message = raw_bodies.schema(raw)
        return self._components.message(message, Shape.CREATE, ending="") if message else {}

    def _responses(self) -> Json:
        problems = openapi_parts.problems(
            public=self._rpc.access != "roles",
            has_credential=bool(self._rpc.credential or self._signature),
            addresses_one=bool(self._in_path) or self._conditional or bool(self._signature),
            mutates=self._rpc.mutates,
            has_body=bool(self._body or self._raw),
        )
        responses = {str(self._rpc.success_code): self._success()}
        if self._conditional and self._route.verb == "GET":
            responses["304"] = {"description": "The caller has this version already.", "headers": self._headers()}
        return responses | problems

    def _success(self) -> Json:
        success: Json = {"description": "Success.", "headers": self._headers()}
        output = self._rpc.descriptor.output_type
        if output.full_name == HttpBody.DESCRIPTOR.full_name:
            success["content"] = {"*/*": {"schema": {}}}
        elif self._rpc.success_code != 204:
            success["content"] = {"application/json": {"schema": self._components.message(output, Shape.READ)}}
        return success

    def _headers(self) -> Json:
        names = ["x-correlation-id"]
        names += ["ETag"] if self._conditional else []
        names += ["Location"] if has_location(self._rpc) else []
        names += ["Idempotency-Replayed"] if self._rpc.has_key else []
        return {name: openapi_parts.header(name) for name in names}


def _tag(rpc: Rpc) -> str:
    """The proto file is the area: `tickets`."""
    return rpc.descriptor.containing_service.file.name.split("/")[-1].removesuffix(".proto")


def _json_path(rpc: Rpc, route: Route) -> str:
    path = route.path
    for name, field in rpc.descriptor.input_type.fields_by_name.items():
        path = path.replace(f"{{{name}}}", f"{{{field.json_name}}}")
    return path
