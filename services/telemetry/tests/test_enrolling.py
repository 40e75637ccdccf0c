"""What is told of machines as they enroll."""

import base64
import secrets
import uuid
from datetime import timedelta
from typing import Any, cast

import pytest

from opsfield.telemetry.v1.enrollment_pb2 import EnrollAgentRequest
from services.telemetry.enrollment import store, tokens
from services.telemetry.enrollment.handlers import EnrollmentHandlers
from services.telemetry.tests.fleet import Workspace

CLIENT = str(uuid.uuid4())


@pytest.fixture
async def token(acme: Workspace) -> str:
    token = tokens.new_token(acme.id)
    async with acme.work() as work:
        until = work.now + timedelta(hours=1)
        await store.add_token(
            work,
            str(uuid.uuid4()),
            tokens.hash_of(token),
            client_id=CLIENT,
            site_id=None,
            most_uses=None,
            expires_at=until,
        )
    return token


async def enroll(acme: Workspace, token: str, **fields: Any) -> str:
    """A machine enrolls with a new key: the id of its agent."""
    # Enrolling asks nothing of ops, and issues no token.
    handlers = EnrollmentHandlers(cast("Any", None), cast("Any", None))
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    async with acme.work() as work:
        request = EnrollAgentRequest(token=token, public_key=key, hostname="web-01", **fields)
        return (await handlers.enroll_agent(request, work)).agent_id


async def replaced(acme: Workspace, agent_id: str) -> list[str]:
    """The agents whose place this one takes, as was told when it enrolled."""
    [told] = [each for each in await acme.told("asset-observed") if each.key == agent_id and "inventory" in each.data]
    return list(told.data.get("replacesAgentIds", []))


async def test_the_first_agent_of_a_machine_takes_nobodys_place(acme: Workspace, token: str) -> None:
    assert await replaced(acme, await enroll(acme, token, hardware_id="h-1")) == []


async def test_an_agent_that_takes_its_predecessors_place_is_told_with_it(acme: Workspace, token: str) -> None:
    first = await enroll(acme, token, hardware_id="h-1")
    second = await enroll(acme, token, hardware_id="h-1")
    third = await enroll(acme, token, hardware_id="h-1")
    assert await replaced(acme, second) == [first]
    assert await replaced(acme, third) == [second]
    assert [(await acme.known(each)).state for each in (first, second, third)] == ["revoked", "revoked", "active"]


async def test_an_agent_of_another_machine_takes_nobodys_place(acme: Workspace, token: str) -> None:
    await enroll(acme, token, hardware_id="h-1")
    assert await replaced(acme, await enroll(acme, token, hardware_id="h-2")) == []
    assert await replaced(acme, await enroll(acme, token)) == []
