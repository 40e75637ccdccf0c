"""How rpcs are served: keys of the caller's, of a credential's workspace, of the body itself; sealed answers; too many
calls at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kit import contract, ids
from kit.calls import Passport, Reply, ServiceCall, Services
from kit.contract import Rpc
from kit.errors import Conflict, Invalid, Problem, TooManyRequests, Unauthenticated
from kit.identity import Principal, TokenSigner, TokenVerifier
from kit.rpc import RpcServer
from kit.sealing import Seal
from kit.tests.measured import measured
from kit.tests.protos import compile_proto
from kit.tests.sample_service import SERVICE, Sample, insert_effect
from kit.unit_of_work import UnitOfWork
from opsfield.common.v1.raw_body_pb2 import RawBody

KEY = Ed25519PrivateKey.generate()
ANONYMOUS = Principal("anonymous")
AGENT = Principal("agent-1", frozenset({"endpoint_agent"}), "acme", agent_id="a-1")
SECRET = "hunter2 in the clear"


def _rpcs() -> dict[str, Rpc]:
    file = compile_proto((Path(__file__).parent / "sample" / "vault.proto").read_text())
    service: ServiceDescriptor = file.services_by_name["VaultService"]
    return {method.name: contract._rpc(method, service) for method in service.methods}


RPCS = _rpcs()
Meet = Callable[[], Awaitable[None]]


async def _go_on() -> None:
    """Meets nobody."""


@dataclass
class Vault:
    """The service: each call has one effect. What is done on the way can be set by `meanwhile`."""

    sample: Sample
    services: Services
    meanwhile: Meet = _go_on
    workspaces: list[str] = field(default_factory=list)

    async def handle(self, _: Message, work: UnitOfWork) -> None:
        await self.meanwhile()
        self.workspaces.append(work.call.workspace_id)
        await insert_effect(work, ids.new_id())

    async def ask(self, name: str, request: Message, *, key: str | None = None, who: Principal = AGENT) -> Reply:
        return await ServiceCall(self.services, SERVICE, RPCS[name])(request, Passport(who, "c-1", key))

    async def open(self, credential: str, *, key: str = "k", who: Principal = ANONYMOUS) -> Reply:
        return await self.ask("OpenVault", RPCS["OpenVault"].request_class(credential=credential), key=key, who=who)

    async def take(
        self,
        data: bytes,
        *,
        name: str = "TakeBatch",
        content_type: str = "application/json",
        content_encoding: str = "",
        sent: int = 0,
        key: str | None = None,
    ) -> Reply:
        body = RawBody(content_type=content_type, content_encoding=content_encoding, data=data)
        request = RPCS[name].request_class(data=body, sent_at=Timestamp(seconds=sent))
        return await self.ask(name, request, key=key)

    async def note(self, text: str, sent: int) -> Reply:
        request = RPCS["AddNote"].request_class(text=text, sent_at=Timestamp(seconds=sent))
        return await self.ask("AddNote", request, key="k")

    async def effects(self) -> int:
        return await self.sample.count("effects")

    async def keys(self) -> list[str]:
        rows = await self.sample.admin.fetch("SELECT key FROM idempotency_keys ORDER BY created_at")
        return [row["key"] for row in rows]

    async def stored(self) -> list[bytes]:
        rows = await self.sample.admin.fetch("SELECT response FROM idempotency_keys")
        return [row["response"] for row in rows]


@asynccontextmanager
async def serving(sample: Sample, *, seal: bytes = bytes(32)) -> AsyncIterator[Vault]:
    """The vault on a local port. `seal`: the key of its sealed answers."""
    rpc_server = RpcServer(
        SERVICE,
        database=sample.database,
        verifier=TokenVerifier(SERVICE, {"gateway": [KEY.public_key()]}),
        fingerprint_keys=(b"fingerprints",),
        seal=Seal(seal),
        on_commit=lambda: None,
    )
    server = grpc.aio.server()
    services = Services(
        {SERVICE: f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"}, TokenSigner("gateway", KEY), timeout=20
    )
    vault = Vault(sample, services)

    async def secret(request: Message, work: UnitOfWork) -> Message:
        await vault.handle(request, work)
        return RPCS["OpenVault"].response_class(id=ids.new_id(), secret=SECRET)

    async def receipt(request: Message, work: UnitOfWork) -> Message:
        await vault.handle(request, work)
        return RPCS["AddNote"].response_class(id=ids.new_id())

    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(rpc_server._behavior(rpc, secret if name == "OpenVault" else receipt))
        for name, rpc in RPCS.items()
    }
    name = RPCS["OpenVault"].descriptor.containing_service.full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    await server.start()
    yield vault
    await services.close()
    await server.stop(None)


@pytest.fixture
async def vault(sample: Sample) -> AsyncIterator[Vault]:
    async with serving(sample) as running:
        yield running


async def test_a_secret_answer_is_given_again_but_not_stored_in_the_clear(vault: Vault) -> None:
    first = await vault.open("acme.proof")
    again = await vault.open("acme.proof")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.message == first.message
    assert first.message.secret == SECRET  # type: ignore[attr-defined]
    (stored,) = await vault.stored()
    assert SECRET.encode() not in stored
    assert first.message.SerializeToString() not in stored
    assert await vault.effects() == 1


async def test_calls_are_measured_by_how_they_ended(vault: Vault) -> None:
    def calls(status: str) -> float:
        path = RPCS["TakeBatch"].path.removeprefix("/")
        return max(0, measured("rpc.server.call.duration", rpc_method=path, rpc_response_status_code=status))

    fine, refused = calls("OK"), calls("INVALID_ARGUMENT")
    await vault.take(b"{}")

    async def refuse() -> None:
        raise Invalid("no")

    vault.meanwhile = refuse
    with pytest.raises(Invalid):
        await vault.take(b"[]")
    assert (calls("OK"), calls("INVALID_ARGUMENT")) == (fine + 1, refused + 1)


async def test_an_answer_without_a_secret_is_stored_as_it_is(vault: Vault) -> None:
    answer = await vault.take(b"{}")
    assert await vault.stored() == [answer.message.SerializeToString()]


async def test_what_is_privileged_is_told_with_its_effect_and_without_its_secret(vault: Vault, sample: Sample) -> None:
    await vault.open("acme.secret-1")
    await vault.open("acme.secret-1")
    [told] = await sample.admin.fetch("SELECT payload FROM outbox WHERE topic = 'internal.audit.privileged-action'")
    event = orjson.loads(told["payload"])
    assert (event["workspaceid"], event["data"]["operation"]) == ("acme", RPCS["OpenVault"].path)
    assert (event["data"]["subject"], event["data"]["roles"]) == ("anonymous", [])
    assert "secret-1" not in told["payload"]
    assert SECRET not in told["payload"]


async def test_an_answer_sealed_with_a_key_that_is_gone_cannot_be_given_again(vault: Vault, sample: Sample) -> None:
    await vault.open("acme.proof")
    async with serving(sample, seal=bytes(31) + b"2") as renewed:
        with pytest.raises(Conflict) as refused:
            await renewed.open("acme.proof")
        assert refused.value.code == "answer-gone"
        assert await renewed.effects() == 1


async def test_a_credential_names_the_workspace_whoever_sends_it(vault: Vault) -> None:
    await vault.open("acme.proof", key="one")
    await vault.open("other.proof.with.dots", key="one")
    await vault.open("third.proof", key="one", who=AGENT)
    assert vault.workspaces == ["acme", "other", "third"]
    assert await vault.sample.count("effects", "workspace_id = 'other'") == 1
    assert await vault.sample.count("audit_entries", "workspace_id = 'other' AND subject = 'anonymous'") == 1


@pytest.mark.parametrize(
    "credential",
    ["acme", "acme.", ".proof", "Acme.proof", "_platform.proof", "a'--.proof", " acme.proof", "x" * 64 + ".p"],
)
async def test_a_credential_that_names_no_workspace_is_none(vault: Vault, credential: str) -> None:
    with pytest.raises(Unauthenticated, match="The credential is not valid"):
        await vault.open(credential)
    assert await vault.effects() == 0


async def test_what_a_key_was_used_for_is_known_by_the_credential_too(vault: Vault) -> None:
    await vault.open("acme.proof")
    with pytest.raises(Invalid) as refused:
        await vault.open("acme.guess")
    assert refused.value.code == "idempotency-key-reused"


async def test_a_body_is_its_own_key(vault: Vault) -> None:
    first = await vault.take(b"one", sent=1)
    again = await vault.take(b"one", sent=2, key="the caller's own does not count")
    other = await vault.take(b"two", sent=1)
    assert (first.replayed, again.replayed, other.replayed) == (False, True, False)
    assert again.message == first.message
    assert await vault.effects() == 2
    assert all(key.startswith("sha256-") and len(key) == 71 for key in await vault.keys())


async def test_the_same_bytes_mean_something_else_in_another_place(vault: Vault) -> None:
    replies = [
        await vault.take(b""),
        await vault.take(b"", name="TakeOtherBatch"),
        await vault.take(b"", content_encoding="gzip"),
        await vault.take(b"", content_type="application/x-protobuf"),
    ]
    assert not any(reply.replayed for reply in replies)
    assert await vault.effects() == 4


async def test_what_is_incidental_may_differ_when_it_is_sent_again(vault: Vault) -> None:
    first = await vault.note("hello", sent=1)
    again = await vault.note("hello", sent=2)
    assert (again.replayed, again.message) == (True, first.message)
    with pytest.raises(Invalid) as refused:
        await vault.note("goodbye", sent=1)
    assert refused.value.code == "idempotency-key-reused"
    assert await vault.effects() == 1


async def test_only_so_many_calls_are_worked_on_at_once(vault: Vault) -> None:
    inside, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def wait() -> None:
        inside.release()
        await go_on.wait()

    vault.meanwhile = wait
    first = [asyncio.create_task(vault.take(b"%d" % number)) for number in range(2)]
    for _ in first:
        await inside.acquire()
    with pytest.raises(TooManyRequests) as refused:
        await vault.take(b"2")
    assert (refused.value.code, refused.value.retry_after) == ("overloaded", 1)
    # The bound is that of one rpc.
    other = asyncio.create_task(vault.take(b"2", name="TakeOtherBatch"))
    await inside.acquire()
    go_on.set()
    await asyncio.gather(*first, other)
    assert not (await vault.take(b"2")).replayed
    assert await vault.effects() == 4


async def test_a_call_that_fails_leaves_its_place(vault: Vault) -> None:
    async def fail() -> None:
        raise Problem("Not now.")

    vault.meanwhile = fail
    for number in range(5):
        with pytest.raises(Problem, match="Not now"):
            await vault.take(b"%d" % number)
    vault.meanwhile = _go_on
    assert not (await vault.take(b"0")).replayed
    assert await vault.effects() == 1
