"""What the gateway reads from a request's headers, and how each must be written."""

import re
from collections.abc import Iterable

from kit.contract import Rpc
from kit.errors import Malformed, Unauthenticated
from kit.formats import CORRELATION_ID, IDEMPOTENCY_KEY

API_KEY = b"x-api-key"
AUTHORIZATION = b"authorization"
CONTENT_ENCODING = b"content-encoding"
CONTENT_LENGTH = b"content-length"
CONTENT_TYPE = b"content-type"
CORRELATION = b"x-correlation-id"
# Not read, but who stands before the gateway may go by it: it has to be one.
HOST = b"host"
IDEMPOTENCY = b"idempotency-key"
IF_MATCH = b"if-match"
IF_NONE_MATCH = b"if-none-match"
PREFER = b"prefer"
TRACEPARENT = b"traceparent"
WORKSPACE = b"x-workspace-id"

_READ = frozenset(
    {
        API_KEY,
        AUTHORIZATION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CORRELATION,
        HOST,
        IDEMPOTENCY,
        IF_MATCH,
        IF_NONE_MATCH,
        PREFER,
        TRACEPARENT,
        WORKSPACE,
    }
)
# Those that may hold what proves who asks a public rpc.
CREDENTIALS = frozenset({API_KEY})
# Those that a sender may split over several lines (RFC 9110, 5.3).
_LISTS = frozenset({IF_NONE_MATCH, PREFER})

_VERSION = re.compile(r'"([0-9]{1,18})"')
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_WAIT = re.compile(r"wait=\"?([0-9]{1,9})\"?", re.IGNORECASE)
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_TIMED_SIGNATURE = re.compile(r"[\x21-\x7e]{1,1000}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def of_webhooks(rpcs: Iterable[Rpc]) -> frozenset[bytes]:
    """The headers by which webhooks prove themselves."""
    terms = [rpc.policy.signature for rpc in rpcs if rpc.access == "signature"]
    return frozenset(name.encode() for each in terms for name in (each.header, each.delivery_header) if name)


def read(
    raw: Iterable[tuple[bytes, bytes]], more: frozenset[bytes] = frozenset()
) -> tuple[dict[bytes, str], bytes | None]:
    """The headers that the gateway reads and those in `more`, by lower-case name, and the name of one that was sent
    twice."""
    found: dict[bytes, str] = {}
    repeated = None
    for name, value in raw:
        if name not in _READ and name not in more:
            continue
        text = value.decode("latin-1")
        if name not in found:
            found[name] = text
        elif name in _LISTS:
            found[name] += f", {text}"
        else:
            repeated = name
    return found, repeated


def correlation_id(headers: dict[bytes, str]) -> str | None:
    """The caller's own id, when it is one that can be handed on."""
    given = headers.get(CORRELATION)
    return given if given and CORRELATION_ID.fullmatch(given) else None


def traceparent(headers: dict[bytes, str]) -> str | None:
    """W3C Trace Context; one that is malformed is ignored, as the standard asks."""
    given = headers.get(TRACEPARENT)
    return given if given and _TRACEPARENT.fullmatch(given) else None


def idempotency_key(headers: dict[bytes, str]) -> str:
    """The key without the quotes of a structured-field string (RFC 9651). Raises Malformed when missing or unfit."""
    given = headers.get(IDEMPOTENCY)
    if given is None:
        raise Malformed("The header Idempotency-Key is needed here.", code="idempotency-key-missing")
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = re.sub(r'\\(["\\])', r"\1", key[1:-1])
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise Malformed(
            "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces.",
            code="idempotency-key-malformed",
        )
    return key


def timed_signature(headers: dict[bytes, str], name: str) -> str | None:
    """What signs the body and the time, in the header of that name. Raises Unauthenticated for what cannot be a
    signature."""
    given = headers.get(name.encode())
    if given is not None and not _TIMED_SIGNATURE.fullmatch(given):
        raise Unauthenticated(f"{name} must be t=<seconds>,v1=<hexadecimal>.", code="signature-invalid")
    return given


def signature(headers: dict[bytes, str], name: str) -> str | None:
    """What signs the body, in the header of that name. Raises Unauthenticated for what cannot be a signature."""
    given = headers.get(name.encode())
    if given is not None and not _SIGNATURE.fullmatch(given):
        raise Unauthenticated(
            f"{name} must be sha256= and 64 digits in lower-case hexadecimal.", code="signature-invalid"
        )
    return given


def delivery(headers: dict[bytes, str], name: str) -> str | None:
    """The delivery's id, in the header of that name. Raises Malformed for what cannot be one."""
    given = headers.get(name.encode()) if name else None
    if given is not None and not IDEMPOTENCY_KEY.fullmatch(given):
        raise Malformed(
            f"{name} must be 1 to 255 printable ASCII characters without spaces.", code="delivery-malformed"
        )
    return given


def if_match(headers: dict[bytes, str]) -> str | None:
    """The version asked for (digits), `*`, or None. Raises Malformed for anything else: a weak tag never matches."""
    given = headers.get(IF_MATCH)
    if given is None or given.strip() == "*":
        return given and "*"
    if not (version := _VERSION.fullmatch(given.strip())):
        raise Malformed('If-Match must be one ETag as it was sent, such as "3", or *.', code="if-match-malformed")
    return version[1]


def wait(headers: dict[bytes, str]) -> int:
    """Seconds that the caller prefers to wait for the end (RFC 7240); 0: not at all. A preference that cannot be
    understood is ignored, as the standard asks."""
    preferences = (part.partition(";")[0].strip() for part in headers.get(PREFER, "").split(","))
    return next((int(found[1]) for each in preferences if (found := _WAIT.fullmatch(each))), 0)


def none_match(headers: dict[bytes, str]) -> frozenset[str]:
    """The entity tags of If-None-Match with their quotes, or `*`. They are compared weakly (RFC 9110, 13.1.2), since
    caches on the way may have weakened ours. Raises Malformed."""
    given = headers.get(IF_NONE_MATCH)
    if given is None:
        return frozenset()
    if given.strip() == "*":
        return frozenset("*")
    tags = [_ENTITY_TAG.fullmatch(part.strip()) for part in given.split(",")]
    if not all(tags):
        raise Malformed('If-None-Match must be ETags as sent, such as "3", or *.', code="if-none-match-malformed")
    return frozenset(tag[1] for tag in tags if tag)
