"""Webhooks: what a service says of one that it takes, and whether whoever delivers has proved itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.admission import digest_key, workspace_of
from kit.contract import Rpc
from kit.errors import Malformed, NotFound
from kit.formats import IDEMPOTENCY_KEY, WORKSPACE_ID
from kit.identity import Principal
from kit.signatures import SignatureCheck
from opsfield.common.v1 import raw_body_pb2
from opsfield.options.v1 import policy_pb2


@dataclass(frozen=True)
class Webhook:
    """What stands beyond the policy of its rpc. `enabled`: else the route answers as if it were not there.
    `workspace_of`, for one whose tenancy is BODY_WORKSPACE: the workspace that a signed body is for; it raises
    Malformed or NotFound."""

    enabled: bool = True
    workspace_of: Callable[[bytes], Awaitable[str]] | None = None


class Deliveries:
    """`webhooks`: by the path of their rpc, where there is something to say of one. `signatures` is needed where an
    rpc is signed."""

    def __init__(self, signatures: SignatureCheck | None, webhooks: Mapping[str, Webhook]) -> None:
        self._signatures = signatures
        self._webhooks = webhooks

    async def proved(self, rpc: Rpc, request: Any, principal: Principal, metadata: dict[str, str]) -> Principal:
        """Whoever delivers, once it has proved itself; `metadata` holds the key from then on. Raises NotFound,
        Malformed, and what checking signatures does."""
        assert self._signatures is not None, "who serves what is signed can check it"
        assert rpc.raw_body is not None
        body: raw_body_pb2.RawBody = getattr(request, rpc.raw_body.name)
        webhook = self._webhooks.get(rpc.path, Webhook())
        if not webhook.enabled:
            raise NotFound("There is nothing here: this webhook is switched off.", code="webhook-disabled")
        terms, delivery = rpc.policy.signature, metadata.get("idempotency-key")
        sender = replace(principal, subject=f"webhook:{terms.secret}")
        if terms.scheme == policy_pb2.Signature.STRIPE:
            assert rpc.credential is not None
            workspace_id = workspace_of(getattr(request, rpc.credential))
            await self._signatures.check_timed(workspace_id, terms.secret, body.data, metadata.get("x-signature"))
            metadata["idempotency-key"] = digest_key(rpc, body)
            return replace(sender, workspace_id=workspace_id)
        is_enforced = await self._signatures.check(
            terms.secret, body.data, metadata.get("x-signature"), always=terms.always
        )
        if delivery is None:
            if is_enforced:
                raise Malformed(f"The header {terms.delivery_header} is needed here.", code="delivery-missing")
            metadata["idempotency-key"] = digest_key(rpc, body)
        elif not IDEMPOTENCY_KEY.fullmatch(delivery):
            raise Malformed(f"{terms.delivery_header} is no id of a delivery.", code="delivery-malformed")
        if rpc.policy.tenancy == policy_pb2.BODY_WORKSPACE:
            assert webhook.workspace_of is not None, "whoever serves it says so"
            return replace(sender, workspace_id=await webhook.workspace_of(body.data))
        if rpc.policy.tenancy == policy_pb2.DELIVERY_WORKSPACE:
            return replace(sender, workspace_id=_workspace_named(delivery, terms.delivery_header))
        return sender


def _workspace_named(delivery: str | None, header: str) -> str:
    workspace_id, _, rest = (delivery or "").partition(".")
    if not rest or not WORKSPACE_ID.fullmatch(workspace_id):
        raise NotFound(f"{header} names nothing that is known here.", code="delivery-unknown")
    return workspace_id
