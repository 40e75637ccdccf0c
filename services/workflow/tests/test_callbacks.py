"""Callbacks of engines beside ours: the service as a process, its secret set at the platform service.

The tests stand in the order in which a platform gets to them: at first no secret is set, then one, then another.
"""

import asyncio
import json
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg
import grpc
import pytest

from devstack.stack import Stack
from kit import contract
from kit.errors import Problem, Unavailable, from_rpc_error
from kit.identity import Principal
from kit.signatures import sign
from opsfield.common.v1.raw_body_pb2 import RawBody
from opsfield.platform.v1.secrets_pb2 import SetPlatformSecretRequest
from opsfield.workflow.v1.callbacks_pb2 import CallbackReceipt, TakeWorkflowCompletedRequest
from opsfield.workflow.v1.executions_pb2 import Execution
from services.workflow.callbacks import rules
from services.workflow.tests.caller import Caller
from services.workflow.tests.runtime import Runtime
from services.workflow.tests.told import told, topics
from tests.callers import eventually, refused

Admin = asyncpg.Connection
CALLED_BACK = "execution-called-back"
# As AgentField sends it, with what is of no matter here and what may yet come.
PAYLOAD = {
    "event": "execution.completed",
    "execution_id": "exec_20261124_101500_abcd1234",
    "status": "succeeded",
    "result": {"answer": 42},
    "duration_ms": 12,
    "retry_count": 0,
    "something_new": [None],
}
BODY = json.dumps(PAYLOAD).encode()


def delivery(workspace: str, execution: Execution, attempt: int = 1, lease: str = "") -> str:
    return f"{workspace}.{execution.id}.{attempt}.{lease or uuid.uuid4()}"


async def call_back(
    workflow: Caller, delivery_id: str | None, body: bytes = BODY, *, secret: str | None = None
) -> tuple[CallbackReceipt, bool]:
    """What is answered, and whether it is a replay. Raises the problem."""
    rpc = contract.by_name("workflow")["TakeWorkflowCompleted"]
    token = workflow.signer.sign(Principal("anonymous"), "workflow")
    metadata = {"authorization": f"Bearer {token}", "x-correlation-id": "c-1"}
    metadata |= {"idempotency-key": delivery_id} if delivery_id is not None else {}
    metadata |= {"x-signature": sign(body, secret)} if secret is not None else {}
    method: Any = workflow.channel.unary_unary(
        rpc.path,
        request_serializer=TakeWorkflowCompletedRequest.SerializeToString,
        response_deserializer=CallbackReceipt.FromString,
    )
    payload = RawBody(content_type="application/json", data=body)
    sending = method(TakeWorkflowCompletedRequest(payload=payload), metadata=tuple(metadata.items()), timeout=20)
    try:
        receipt = await sending
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "workflow") from error
    return receipt, ("idempotency-replayed", "true") in tuple(await sending.trailing_metadata())


async def remembered(admin: "Admin[Any]", workspace: str) -> int:
    """Deliveries that are known."""
    query = "SELECT count(*) FROM idempotency_keys WHERE workspace_id = $1 AND principal = 'webhook:workflow.callback'"
    return int(await admin.fetchval(query, workspace))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme.0193a4a4-7d2b-7000-8000-000000000009.3.lease-1", ("0193a4a4-7d2b-7000-8000-000000000009", 3)),
        ("acme.0193a4a4-7d2b-7000-8000-000000000009.0.l", None),
        ("acme.0193a4a4-7d2b-7000-8000-000000000009.1", None),
        ("acme.0193a4a4-7d2b-7000-8000-000000000009.1.", None),
        ("acme.0193a4a4-7d2b-7000-8000-000000000009.9999999999.l", None),
        ("acme.0193A4A4-7D2B-7000-8000-000000000009.1.l", None),
        ("acme.exec_1.1.l", None),
        ("", None),
    ],
)
def test_a_deliverys_id_names_an_execution_and_its_attempt(text: str, expected: tuple[str, int] | None) -> None:
    found = rules.delivery(text)
    assert (found and (found.execution_id, found.attempt)) == expected


def test_what_is_noted_is_short_and_harmless() -> None:
    body = json.dumps({"event": "a\nb" + "x" * 1000, "status": 7, "execution_id": None, "other": "y"}).encode()
    assert rules.notes(body) == {"event": "a?b" + "x" * 97}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as problem:
        rules.notes(body)
    assert (problem.value.status, problem.value.code) == (400, "malformed-json")


async def test_without_a_secret_in_development_what_is_not_signed_is_taken(
    workflow: Caller, workspace: str, admin: "Admin[Any]"
) -> None:
    execution = await workflow.execute()
    receipt, replayed = await call_back(workflow, delivery(workspace, execution))
    assert (receipt.execution_id, receipt.looked_at, replayed) == (execution.id, True, False)
    assert await topics(admin, workspace, execution.id) == ["execution-requested", CALLED_BACK]
    async with refused(404, "delivery-unknown"):
        await call_back(workflow, None)


@pytest.fixture(scope="module")
async def secrets(_callers: Any) -> tuple[str, str]:
    """The secret of the callback, set twice: the one before, and the newest."""
    admin: Caller = replace(_callers["platform"], principal=Principal("root", frozenset({"platform_admin"})), notes={})
    values = (f"first-{uuid.uuid4()}", f"second-{uuid.uuid4()}")
    for value in values:
        await admin.call("SetPlatformSecret", SetPlatformSecretRequest(key="workflow.callback", value=value))
    return values


async def test_what_is_signed_makes_the_runtime_look_and_nothing_else(
    workflow: Caller, workspace: str, admin: "Admin[Any]", secrets: tuple[str, str]
) -> None:
    await _until_enforced(workflow, workspace)
    for secret in secrets:
        execution = await workflow.execute()
        receipt, _ = await call_back(workflow, delivery(workspace, execution), secret=secret)
        assert receipt.looked_at
        assert await workflow.get(execution) == execution
        [_, (topic, data)] = await told(admin, workspace, execution.id)
        assert (topic, data) == (CALLED_BACK, {"executionId": execution.id, "attempt": 1})


async def test_what_is_forged_changes_nothing(
    workflow: Caller, workspace: str, admin: "Admin[Any]", secrets: tuple[str, str]
) -> None:
    execution = await workflow.execute()
    await _until_enforced(workflow, workspace)
    known, good = await remembered(admin, workspace), delivery(workspace, execution)
    async with refused(401, "signature-missing"):
        await call_back(workflow, good)
    async with refused(401, "signature-invalid"):
        await call_back(workflow, good, secret="guess")
    async with refused(401, "signature-invalid"):
        await call_back(workflow, good, b"not even JSON", secret="guess")
    async with refused(400, "delivery-missing"):
        await call_back(workflow, None, secret=secrets[1])
    async with refused(400, "malformed-json"):
        await call_back(workflow, good, b"not JSON", secret=secrets[1])
    for unknown in (
        f"{workspace}.{uuid.uuid4()}.1.l",
        f"another.{execution.id}.1.l",
        f"{workspace}.exec_1.1.l",
        "one-word",
    ):
        async with refused(404):
            await call_back(workflow, unknown, secret=secrets[1])
    assert await remembered(admin, workspace) == known
    assert await topics(admin, workspace, execution.id) == ["execution-requested"]
    assert await workflow.get(execution) == execution


async def test_a_delivery_seen_before_changes_nothing(
    workflow: Caller, workspace: str, admin: "Admin[Any]", secrets: tuple[str, str]
) -> None:
    execution = await workflow.execute()
    await _until_enforced(workflow, workspace)
    same = delivery(workspace, execution)
    first = await call_back(workflow, same, secret=secrets[1])
    again = json.dumps(PAYLOAD | {"retry_count": 1, "status": "failed"}).encode()
    replays = [await call_back(workflow, same, body, secret=secrets[1]) for body in (BODY, again)]
    assert replays == [(first[0], True)] * 2
    assert (await topics(admin, workspace, execution.id)).count(CALLED_BACK) == 1


@pytest.mark.parametrize("status", ["running", "failed", "no such thing"])
async def test_whatever_it_says_it_is_a_hint(
    workflow: Caller, workspace: str, admin: "Admin[Any]", secrets: tuple[str, str], status: str
) -> None:
    """Their premature webhook says that an execution has failed while it is running."""
    execution = await workflow.execute()
    body = json.dumps(PAYLOAD | {"event": "execution.failed", "status": status}).encode()
    receipt, _ = await call_back(workflow, delivery(workspace, execution), body, secret=secrets[1])
    assert receipt.looked_at
    assert await workflow.get(execution) == execution


async def test_of_what_has_ended_or_begun_anew_nothing_changes(
    workflow: Caller, workspace: str, runtime: Runtime, admin: "Admin[Any]", secrets: tuple[str, str]
) -> None:
    execution = await workflow.execute()
    await runtime.finish(execution, outcome="FAILED", failure_detail="It broke.")
    ended = await workflow.until_final(execution)
    receipt, _ = await call_back(workflow, delivery(workspace, execution), secret=secrets[1])
    assert (receipt.execution_id, receipt.looked_at) == (execution.id, False)
    assert await workflow.get(execution) == ended
    retried = await workflow.retry(execution)
    receipt, _ = await call_back(workflow, delivery(workspace, execution), secret=secrets[1])
    assert not receipt.looked_at
    assert CALLED_BACK not in await topics(admin, workspace, execution.id)
    receipt, _ = await call_back(workflow, delivery(workspace, execution, attempt=2), secret=secrets[1])
    assert receipt.looked_at
    assert await workflow.get(execution) == retried


async def test_the_same_delivery_at_once_is_told_once(
    workflow: Caller, workspace: str, admin: "Admin[Any]", secrets: tuple[str, str]
) -> None:
    execution = await workflow.execute()
    same = delivery(workspace, execution)

    async def until_taken() -> bool:
        async def attempt() -> tuple[CallbackReceipt, bool] | None:
            with suppress(Unavailable):
                return await call_back(workflow, same, secret=secrets[1])
            return None

        return bool((await eventually(attempt))[1])

    assert sorted(await asyncio.gather(*(until_taken() for _ in range(6)))) == [False] + [True] * 5
    assert (await topics(admin, workspace, execution.id)).count(CALLED_BACK) == 1


async def test_while_the_secret_cannot_be_had_nothing_is_taken_or_the_one_at_hand_holds(
    stack: Stack, workflow: Caller, workspace: str, secrets: tuple[str, str]
) -> None:
    execution = await workflow.execute()
    await _until_enforced(workflow, workspace)
    await stack.stop("platform")
    try:
        async with refused(401):
            await call_back(workflow, delivery(workspace, execution), secret="guess")
        receipt, _ = await call_back(workflow, delivery(workspace, execution), secret=secrets[1])
        assert receipt.looked_at
    finally:
        await stack.start("platform")


async def _until_enforced(workflow: Caller, workspace: str) -> None:
    """A secret that has just been set holds within two seconds: until then what is not signed may be taken."""

    async def look() -> bool:
        try:
            await call_back(workflow, f"{workspace}.{uuid.uuid4()}.1.l")
        except Problem as problem:
            return problem.status == 401
        return False

    await eventually(look)
