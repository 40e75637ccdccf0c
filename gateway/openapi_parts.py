"""The parts of the OpenAPI document that are the same for every route: headers, problems, the security scheme."""

from typing import Any

from gateway.problems import MEDIA_TYPE
from kit import errors, formats
from kit.errors import Problem

Json = dict[str, Any]

INFO: Json = {
    "title": "Opsfield",
    "summary": "Operations platform for managed service providers.",
    "description": (
        "Requests carry a bearer token and, where they concern a tenant, its `x-workspace-id`. Every request that "
        "changes something carries an `Idempotency-Key`, unless the digest of its body is the key: sent again with the "
        "same content it changes nothing more and gets the first answer. Routes of AgentField's protocol, to which an "
        "agent brings its `X-API-Key`, need none: to tell the same again changes nothing there. No text may hold the "
        "character NUL. Errors are problem details (RFC 9457)."
    ),
}

SECURITY_SCHEMES: Json = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


def _header_parameter(name: str, required: bool, schema: Json, description: str) -> Json:
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": description}


def _text(pattern: str) -> Json:
    return {"type": "string", "pattern": f"^{pattern}$"}


PARAMETERS: Json = {
    "x-api-key": _header_parameter(
        "X-API-Key", True, {"type": "string", "minLength": 1}, "The key of an agent, as AgentField's SDK sends it."
    ),
    "workspace-id": _header_parameter(
        "x-workspace-id", True, _text(formats.WORKSPACE_ID.pattern), "The workspace (tenant) the request concerns."
    ),
    "token-workspace-id": _header_parameter(
        "x-workspace-id",
        False,
        _text(formats.WORKSPACE_ID.pattern),
        "The workspace (tenant) the request concerns. Not needed with a token that is for one workspace only.",
    ),
    "idempotency-key": _header_parameter(
        "Idempotency-Key",
        True,
        _text(formats.IDEMPOTENCY_KEY.pattern),
        "Names this change: a retry with the same key and content takes effect once. Kept for at least 24 hours.",
    ),
    "correlation-id": _header_parameter(
        "x-correlation-id",
        False,
        {"type": "string"},
        "Goes into every log line and event that the request leads to. Made up when absent, or when it is not 1 to 128 "
        "letters, digits and `._:/+=-`.",
    ),
    "if-match": _header_parameter(
        "If-Match", False, _text(r'(\*|"[0-9]{1,18}")'), 'Change only this version: an ETag such as `"3"`, or `*`.'
    ),
    "if-none-match": _header_parameter(
        "If-None-Match", False, _text(r'(\*|(W/)?"[0-9]{1,18}")'), "Answer 304 when the version is still this one."
    ),
}

HEADERS: Json = {
    "x-correlation-id": {"description": "Identifies the request in logs and events.", "schema": {"type": "string"}},
    "ETag": {"description": "The resource's version, for If-Match and If-None-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Path of what was created.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` when this is the first answer to the same request, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "How to authenticate (RFC 6750).", "schema": {"type": "string"}},
}


def timed_webhook_parameter(signature: str) -> Json:
    """The header of a webhook that signs the time as well."""
    meaning = "`t=<seconds>,v1=<hex>`: the HMAC-SHA256 of `<seconds>.<raw body>`, of the last five minutes."
    return _header_parameter(signature, False, _text("[!-~]{1,1000}"), meaning)


def webhook_parameters(signature: str, delivery: str) -> list[Json]:
    """The headers of a webhook, by their names."""
    return [
        _header_parameter(
            signature,
            False,
            _text("sha256=[0-9a-f]{64}"),
            "`sha256=` and the HMAC-SHA256 of the raw body in hexadecimal. Required once the secret is set.",
        ),
        _header_parameter(
            delivery,
            False,
            _text(formats.IDEMPOTENCY_KEY.pattern),
            "The delivery's id: one that was seen before changes nothing and gets the first answer. Required once the "
            "secret is set.",
        ),
    ]


_MEANINGS: dict[type[Problem], str] = {
    errors.Malformed: "A header, the query or the body is malformed or missing.",
    errors.Unauthenticated: "The bearer token, or what proves who asks instead, is missing or not valid.",
    errors.Forbidden: "The caller's roles, workspaces or scope do not allow it.",
    errors.NotFound: "It does not exist in this workspace.",
    errors.Conflict: "The state of the resource does not allow it, or the same request is under way.",
    errors.PreconditionFailed: "The version named in If-Match is no longer the current one.",
    errors.TooLarge: "The body is too large.",
    errors.UnsupportedMediaType: "The body is not of a type that is taken here.",
    errors.Invalid: "The input is not valid (see `errors`), or the idempotency key stands for another request.",
    errors.TooManyRequests: "The caller asks too often, or too much comes in at once.",
    errors.Internal: "Something went wrong on our side.",
    errors.Unavailable: "A service that is needed cannot answer at the moment.",
}
_MORE_HEADERS: dict[type[Problem], list[str]] = {
    errors.Unauthenticated: ["WWW-Authenticate"],
    errors.TooManyRequests: ["Retry-After"],
    errors.Unavailable: ["Retry-After"],
}


def header(name: str) -> Json:
    """A reference to one of HEADERS."""
    return {"$ref": f"#/components/headers/{name}"}


def parameter(name: str) -> Json:
    """A reference to one of PARAMETERS."""
    return {"$ref": f"#/components/parameters/{name}"}


RESPONSES: Json = {
    each.__name__: {
        "description": meaning,
        "headers": {name: header(name) for name in ["x-correlation-id", *_MORE_HEADERS.get(each, [])]},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for each, meaning in _MEANINGS.items()
}


def problems(*, public: bool, has_credential: bool, addresses_one: bool, mutates: bool, has_body: bool) -> Json:
    """The problems that an operation may answer, by status. `has_credential`: of a public one, whether the request
    itself says who asks."""
    found: list[type[Problem]] = [errors.Malformed, errors.Invalid, errors.Internal, errors.Unavailable]
    found += [] if public and not has_credential else [errors.Unauthenticated]
    found += [] if public else [errors.Forbidden]
    found += [] if public and not mutates else [errors.TooManyRequests]
    found += [errors.NotFound] if addresses_one else []
    found += [errors.Conflict, errors.PreconditionFailed] if mutates else []
    found += [errors.TooLarge, errors.UnsupportedMediaType] if has_body else []
    by_status = sorted(found, key=lambda each: each.status)
    return {str(each.status): {"$ref": f"#/components/responses/{each.__name__}"} for each in by_status}
