"""Whether a service answers a call, and what the call is: read from the contract, who asks, and what travels with the
message."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from kit.call import PLATFORM_WORKSPACE, Call
from kit.contract import Rpc
from kit.errors import Forbidden, Malformed, Unauthenticated
from kit.formats import IDEMPOTENCY_KEY, WORKSPACE_ID
from kit.identity import Principal
from opsfield.common.v1 import raw_body_pb2
from opsfield.options.v1 import policy_pb2


def check_access(rpc: Rpc, principal: Principal) -> None:
    """Raises Forbidden."""
    if rpc.access == "service_only" and principal.service is None:
        raise Forbidden("Only another service may call this.")
    if rpc.access == "roles" and principal.service is None and not principal.has_any(rpc.roles):
        raise Forbidden(f"This needs one of the roles {', '.join(sorted(rpc.roles))}.", code="role-missing")
    if rpc.in_workspace and principal.service is None and principal.workspace_id == PLATFORM_WORKSPACE:
        raise Forbidden("What belongs to the platform is no workspace.")
    if rpc.in_workspace and principal.workspace_id is None and not (rpc.credential or rpc.is_delivered):
        raise Forbidden("The call names no workspace.", code="workspace-missing")


def call_of(rpc: Rpc, request: Any, principal: Principal, metadata: Mapping[str, str], traceparent: str | None) -> Call:
    """The call, with the workspace that it works in. Raises Malformed when what travels with the message is, and
    Unauthenticated when a credential names no workspace."""
    if rpc.credential:
        principal = replace(principal, workspace_id=workspace_of(getattr(request, rpc.credential)))
    elif not rpc.in_workspace:
        # Whatever workspace the caller works in: the rows are the platform's own.
        principal = replace(principal, workspace_id=PLATFORM_WORKSPACE)
    return Call(
        method=rpc.path,
        principal=principal,
        correlation_id=metadata["x-correlation-id"],
        idempotency_key=_key(rpc, request, metadata),
        expected_version=_expected_version(metadata.get("if-match")),
        traceparent=traceparent,
    )


def workspace_of(credential: str) -> str:
    """The workspace that stands before a credential's first dot. Raises Unauthenticated."""
    workspace_id, _, rest = credential.partition(".")
    if not rest or not WORKSPACE_ID.fullmatch(workspace_id):
        raise Unauthenticated("The credential is not valid.")
    return workspace_id


def digest_key(rpc: Rpc, body: raw_body_pb2.RawBody) -> str:
    """The key of a body that came without one. The same bytes may mean something else to another rpc: two protocols'
    empty messages, say."""
    head = f"{rpc.path}\0{body.content_type}\0{body.content_encoding}\0"
    return f"sha256-{sha256(head.encode() + body.data).hexdigest()}"


def _key(rpc: Rpc, request: Any, metadata: Mapping[str, str]) -> str | None:
    if rpc.policy.idempotency == policy_pb2.CONTENT_DIGEST:
        assert rpc.raw_body is not None
        return digest_key(rpc, getattr(request, rpc.raw_body.name))
    key = metadata.get("idempotency-key")
    if rpc.needs_key and (key is None or not IDEMPOTENCY_KEY.fullmatch(key)):
        raise Malformed("An idempotency key is needed.", code="idempotency-key-missing")
    return key


def _expected_version(if_match: str | None) -> int | None:
    if if_match is None or if_match == "*":
        return None
    if not if_match.isascii() or not if_match.isdigit() or len(if_match) > 18:
        raise Malformed("If-Match must hold a version.", code="if-match-malformed")
    return int(if_match)
