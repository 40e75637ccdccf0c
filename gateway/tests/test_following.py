"""`Prefer: wait=N`: the answer to what only begins waits for the end."""

import asyncio
import time
import uuid
from dataclasses import replace

import httpx
import pytest

from gateway import app
from gateway.following import Following
from gateway.tests.fake_service import FakeService
from kit import contract
from kit.contract import ContractError, Rpc
from kit.errors import Unavailable
from opsfield.workflow.v1.executions_pb2 import Execution

ID = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"
PATH = "/api/v1/execute/triage.classify"
RPCS = contract.by_name("workflow")


@pytest.fixture
def workflow(services: dict[str, FakeService]) -> FakeService:
    """Begins an execution, which ends when it is looked at for the third time."""
    service = services["workflow"]
    looks = iter((False, False, True))

    def look(_: object) -> Execution:
        is_final = next(looks)
        if not is_final and len(service.received) == 3:
            raise Unavailable("Not now.")
        return Execution(id=ID, status=Execution.SUCCEEDED if is_final else Execution.RUNNING, is_final=is_final)

    service.answers["ExecuteReasoner"] = lambda _: Execution(id=ID, status=Execution.QUEUED)
    service.answers["GetExecution"] = look
    return service


async def execute(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await client.post(PATH, json={"input": {"n": 1}}, headers={"idempotency-key": uuid.uuid4().hex, **headers})


async def test_without_a_preference_the_answer_comes_at_once(client: httpx.AsyncClient, workflow: FakeService) -> None:
    answer = await execute(client)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["location"] == f"/api/v1/workflow-executions/{ID}"
    assert [each.rpc for each in workflow.received] == ["ExecuteReasoner"]
    assert workflow.last.request.agent == "triage"
    assert workflow.last.request.reasoner == "classify"


@pytest.mark.parametrize("preference", ["wait=10", "respond-async, wait=10", 'WAIT="10"', "wait=99999"])
async def test_with_one_it_waits_for_the_end(client: httpx.AsyncClient, workflow: FakeService, preference: str) -> None:
    answer = await execute(client, prefer=preference)
    assert (answer.status_code, answer.json()["status"], answer.json()["isFinal"]) == (202, "succeeded", True)
    assert [each.rpc for each in workflow.received] == ["ExecuteReasoner", *["GetExecution"] * 3]
    assert "idempotency-key" not in workflow.last.metadata


@pytest.mark.parametrize("preference", ["wait", "wait=", "wait=-1", "wait=soon", "return=minimal", "wait=0", ""])
async def test_a_preference_that_is_none_is_ignored(
    client: httpx.AsyncClient, workflow: FakeService, preference: str
) -> None:
    assert (await execute(client, prefer=preference)).json()["status"] == "queued"


async def test_it_waits_no_longer_than_was_asked_for(client: httpx.AsyncClient, workflow: FakeService) -> None:
    workflow.answers["GetExecution"] = lambda _: Execution(id=ID, status=Execution.RUNNING)
    begun = time.monotonic()
    assert (await execute(client, prefer="wait=1")).json()["status"] == "running"
    assert time.monotonic() - begun >= 1


async def test_a_gateway_that_stops_answers_with_what_is_known(
    client: httpx.AsyncClient, gateway: app.Gateway, workflow: FakeService
) -> None:
    def look(_: object) -> Execution:
        gateway.hurry()
        return Execution(id=ID, status=Execution.RUNNING)

    workflow.answers["GetExecution"] = look
    async with asyncio.timeout(10):
        for latest in ("running", "queued"):
            answer = await execute(client, prefer="wait=60")
            assert (answer.status_code, answer.json()["status"]) == (202, latest)
            assert answer.headers["location"] == f"/api/v1/workflow-executions/{ID}"


def test_contracts_that_cannot_be_followed_do_not_start() -> None:
    begin, read = RPCS["ExecuteReasoner"], RPCS["GetExecution"]

    async def nothing(*_: object) -> None:
        raise AssertionError

    def following(followed: Rpc | None) -> Following:
        return Following(begin, followed, nothing, asyncio.Event())  # type: ignore[arg-type]

    assert following(read).place == "/api/v1/workflow-executions"
    for wrong in (None, RPCS["ListExecutions"], replace(RPCS["CancelExecution"])):
        with pytest.raises(ContractError):
            following(wrong)
