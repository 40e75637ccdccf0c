"""How signed rpcs are served: the signature and its secret, the delivery and its workspace, the same delivery again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from kit import contract, ids
from kit.calls import Passport, Reply, ServiceCall, Services
from kit.contract import Rpc
from kit.errors import Malformed, NotFound, Problem, Unauthenticated, Unavailable
from kit.identity import Principal, TokenSigner, TokenVerifier
from kit.rpc import RpcServer
from kit.sealing import Seal
from kit.secrets import Secret
from kit.signatures import SignatureCheck, is_signed, sign
from kit.tests.protos import compile_proto
from kit.tests.sample_service import SERVICE, Sample, insert_effect
from kit.unit_of_work import UnitOfWork
from kit.webhooks import Webhook
from opsfield.common.v1.raw_body_pb2 import RawBody

KEY = Ed25519PrivateKey.generate()
ANONYMOUS = Principal("anonymous")


def _rpcs() -> dict[str, Rpc]:
    file = compile_proto((Path(__file__).parent / "sample" / "webhooks.proto").read_text())
    service: ServiceDescriptor = file.services_by_name["WebhookService"]
    return {method.name: contract._rpc(method, service) for method in service.methods}


RPCS = _rpcs()


@dataclass
class Webhooks:
    """The service, with its secrets by key: each call has one effect."""

    sample: Sample
    services: Services
    secrets: dict[str, Secret | Problem] = field(default_factory=dict)
    required: bool = False
    calls: list[Any] = field(default_factory=list)

    async def get(self, key: str) -> Secret:
        found = self.secrets.get(key, NotFound("It was never set."))
        if isinstance(found, Problem):
            raise found
        return found

    async def whose(self, body: bytes) -> str:
        if body != b"ours":
            raise NotFound("That is nobody's.")
        return "acme"

    async def handle(self, _: Message, work: UnitOfWork) -> Message:
        self.calls.append(work.call)
        await insert_effect(work, ids.new_id())
        if self.secrets.get("fail"):
            raise NotFound("There is nothing.")
        return Empty()

    async def take(
        self,
        body: bytes = b"{}",
        *,
        name: str = "TakeOurs",
        delivery: str | None = "acme.d-1",
        signature: str | None = None,
        who: Principal = ANONYMOUS,
    ) -> Reply:
        request = RPCS[name].request_class(payload=RawBody(content_type="application/json", data=body))
        passport = Passport(who, "c-1", delivery, signature=signature)
        return await ServiceCall(self.services, SERVICE, RPCS[name])(request, passport)

    async def effects(self) -> int:
        return await self.sample.count("effects")


async def _serving(sample: Sample, *, required: bool) -> AsyncIterator[Webhooks]:
    server = grpc.aio.server()
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    webhooks = Webhooks(sample, Services({SERVICE: address}, TokenSigner("gateway", KEY), timeout=20))
    rpc_server = RpcServer(
        SERVICE,
        database=sample.database,
        verifier=TokenVerifier(SERVICE, {"gateway": [KEY.public_key()]}),
        fingerprint_keys=(b"fingerprints",),
        seal=Seal(bytes(32)),
        signatures=SignatureCheck(webhooks.get, required=required),
        webhooks={
            RPCS["TakeTold"].path: Webhook(workspace_of=webhooks.whose),
            RPCS["TakeDisabled"].path: Webhook(enabled=False),
        },
        on_commit=lambda: None,
    )
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(rpc_server._behavior(rpc, webhooks.handle))
        for name, rpc in RPCS.items()
    }
    service = RPCS["TakeOurs"].descriptor.containing_service.full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    await server.start()
    yield webhooks
    await webhooks.services.close()
    await server.stop(None)


@pytest.fixture
async def webhooks(sample: Sample) -> AsyncIterator[Webhooks]:
    """Of a platform that takes what is not signed as long as no secret is set."""
    async for running in _serving(sample, required=False):
        yield running


@pytest.fixture
async def signed(webhooks: Webhooks) -> Webhooks:
    webhooks.secrets["sample.ours"] = Secret("new", "old", 2)
    return webhooks


def test_a_signature_is_the_hmac_of_the_body_in_hexadecimal() -> None:
    # RFC 4231, test case 2.
    wanted = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(b"what do ya want for nothing?", "Jefe") == wanted


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (sign(b"body", "new"), True),
        (sign(b"body", "old"), True),
        (sign(b"body", "older"), False),
        (sign(b"Body", "new"), False),
        (sign(b"body", "new").upper(), False),
        (sign(b"body", "new")[:-1], False),
        (sign(b"body", "new").removeprefix("sha256="), False),
        ("sha256=", False),
        ("", False),
        ("sha256=\xe9", False),
    ],
)
def test_a_signature_of_either_version_of_the_secret_holds(given: str, expected: bool) -> None:
    assert is_signed(b"body", given, Secret("new", "old", 2)) is expected


def test_without_a_version_before_only_the_newest_holds() -> None:
    assert not is_signed(b"body", sign(b"body", ""), Secret("new", None, 1))


@pytest.mark.parametrize("secret", ["new", "old"])
async def test_what_is_signed_is_taken_in_the_workspace_of_its_delivery(signed: Webhooks, secret: str) -> None:
    reply = await signed.take(b'{"a": 1}', signature=sign(b'{"a": 1}', secret))
    assert not reply.replayed
    [call] = signed.calls
    assert (call.workspace_id, call.principal.subject, call.idempotency_key) == (
        "acme",
        "webhook:sample.ours",
        "acme.d-1",
    )
    assert await signed.effects() == 1


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (None, "signature-missing"),
        (sign(b"{}", "guess"), "signature-invalid"),
        (sign(b"{ }", "new"), "signature-invalid"),
        ("", "signature-invalid"),
    ],
)
async def test_what_is_not_signed_or_not_rightly_so_is_refused(
    signed: Webhooks, signature: str | None, code: str
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await signed.take(signature=signature)
    assert refused.value.code == code
    assert (await signed.effects(), signed.calls) == (0, [])


async def test_where_signatures_are_enforced_a_delivery_needs_its_id(signed: Webhooks) -> None:
    with pytest.raises(Malformed) as refused:
        await signed.take(delivery=None, signature=sign(b"{}", "new"))
    assert refused.value.code == "delivery-missing"
    assert await signed.effects() == 0


@pytest.mark.parametrize("delivery", ["acme", "acme.", ".d-1", "_platform.d-1", "ACME.d-1", "a'b.d-1"])
async def test_a_delivery_that_names_no_workspace_is_of_nothing_that_is_known(signed: Webhooks, delivery: str) -> None:
    with pytest.raises(NotFound) as refused:
        await signed.take(delivery=delivery, signature=sign(b"{}", "new"))
    assert refused.value.code == "delivery-unknown"


async def test_a_delivery_that_was_seen_before_changes_nothing_whatever_it_holds(signed: Webhooks) -> None:
    await signed.take(signature=sign(b"{}", "new"))
    for body in (b"{}", b'{"retry_count": 1}'):
        assert (await signed.take(body, signature=sign(body, "new"))).replayed
    assert await signed.effects() == 1
    assert not (await signed.take(delivery="other.d-1", signature=sign(b"{}", "new"))).replayed
    with pytest.raises(Unauthenticated):
        await signed.take(signature=sign(b"{}", "guess"))


async def test_a_delivery_that_came_to_nothing_is_looked_at_again(signed: Webhooks) -> None:
    signed.secrets["fail"] = NotFound("as told")
    with pytest.raises(NotFound):
        await signed.take(signature=sign(b"{}", "new"))
    assert await signed.effects() == 0
    del signed.secrets["fail"]
    assert not (await signed.take(signature=sign(b"{}", "new"))).replayed
    assert await signed.effects() == 1


async def test_the_same_delivery_many_times_at_once_takes_effect_once(signed: Webhooks) -> None:
    async def take() -> bool:
        while True:
            # Whoever comes while the first is in flight is asked to come again.
            with suppress(Unavailable):
                return (await signed.take(signature=sign(b"{}", "new"))).replayed

    assert sorted(await asyncio.gather(*(take() for _ in range(8)))) == [False] + [True] * 7
    assert await signed.effects() == 1


async def test_without_a_secret_what_is_not_signed_is_taken(webhooks: Webhooks) -> None:
    assert not (await webhooks.take()).replayed
    assert (await webhooks.take(signature=sign(b"{}", "whatever"))).replayed
    with pytest.raises(NotFound):
        await webhooks.take(delivery=None)
    assert await webhooks.effects() == 1


async def test_without_an_id_the_digest_is_the_key_where_nothing_is_enforced(webhooks: Webhooks) -> None:
    replies = [await webhooks.take(body, name="TakeTheirs", delivery=None) for body in (b"1", b"2", b"1")]
    assert [reply.replayed for reply in replies] == [False, False, True]
    assert {call.workspace_id for call in webhooks.calls} == {"_platform"}
    assert await webhooks.effects() == 2


async def test_without_a_secret_production_takes_nothing(sample: Sample) -> None:
    async for webhooks in _serving(sample, required=True):
        with pytest.raises(Unavailable) as refused:
            await webhooks.take(signature=sign(b"{}", ""))
        assert (refused.value.code, refused.value.retry_after) == ("webhook-secret-missing", 60)
        assert await webhooks.effects() == 0


async def test_while_the_secret_cannot_be_had_nothing_is_taken(webhooks: Webhooks) -> None:
    webhooks.secrets["sample.ours"] = Unavailable("The platform service cannot be reached.", retry_after=1)
    with pytest.raises(Unavailable):
        await webhooks.take(signature=sign(b"{}", ""))
    assert await webhooks.effects() == 0


async def test_a_delivery_is_no_way_into_a_workspace_that_a_token_is_not_for(signed: Webhooks) -> None:
    """Whose token it is does not matter: the delivery alone says where."""
    caller = Principal("ada", frozenset({"msp_admin"}), "elsewhere")
    await signed.take(who=caller, signature=sign(b"{}", "new"))
    assert [call.workspace_id for call in signed.calls] == ["acme"]


async def test_one_that_is_switched_off_is_not_there(webhooks: Webhooks) -> None:
    with pytest.raises(NotFound, match="switched off"):
        await webhooks.take(name="TakeDisabled")
    assert not webhooks.calls


async def test_one_that_is_always_signed_takes_nothing_without_a_secret(webhooks: Webhooks) -> None:
    with pytest.raises(Unavailable, match="secret sample"):
        await webhooks.take(b"ours", name="TakeTold")


async def test_the_service_tells_whose_a_signed_body_is(webhooks: Webhooks) -> None:
    webhooks.secrets["sample.told"] = Secret("new", None, 1)
    await webhooks.take(b"ours", name="TakeTold", delivery="d-1", signature=sign(b"ours", "new"))
    assert [call.workspace_id for call in webhooks.calls] == ["acme"]
    with pytest.raises(NotFound, match="nobody's"):
        await webhooks.take(b"theirs", name="TakeTold", delivery="d-2", signature=sign(b"theirs", "new"))
    with pytest.raises(Unauthenticated):
        await webhooks.take(b"ours", name="TakeTold", delivery="d-3", signature=sign(b"theirs", "new"))
    assert len(webhooks.calls) == 1
