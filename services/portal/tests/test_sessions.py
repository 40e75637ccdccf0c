"""Sessions: how long they go on, and what ends them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.identity import Principal
from opsfield.ops.v1.contacts_pb2 import Contact, UpdateContactRequest
from opsfield.platform.v1.settings_pb2 import Portal, ReplaceWorkspaceSettingsRequest, WorkspaceSettings
from opsfield.portal.v1 import sessions_pb2 as pb2
from services.portal.sessions import rules
from services.portal.tests.caller import Admin, Provider
from tests.callers import Caller, eventually, refused

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def gateway(staff: Provider, workspace: str) -> Caller:
    """A gateway by itself: it asks whether sessions go on."""
    return staff.portal.as_(Principal("service:gateway", workspace_id=workspace, service="gateway"))


async def goes_on(gateway: Caller, person: Caller) -> bool:
    answer = await gateway.call("CheckSession", pb2.CheckSessionRequest(id=person.principal.session_id))
    return bool(answer.active)


async def test_a_session_goes_on_until_it_is_ended(staff: Provider, gateway: Caller) -> None:
    person, other = await staff.person(), await staff.person()
    assert await goes_on(gateway, person)
    ended = await person.call("TerminateSession", pb2.TerminateSessionRequest())
    assert (ended.status, ended.ended_by) == (pb2.PortalSession.ENDED, person.principal.subject)
    assert not await goes_on(gateway, person)
    assert await goes_on(gateway, other)
    again = await staff.portal.call("EndSession", pb2.EndSessionRequest(id=person.principal.session_id))
    assert again == ended, "what has ended stays as it ended"


async def test_another_workspaces_session_is_not_there(staff: Provider, elsewhere: Provider, gateway: Caller) -> None:
    person = await elsewhere.person()
    assert not await goes_on(gateway, person)
    async with refused(404, "not-found"):
        await staff.portal.call("EndSession", pb2.EndSessionRequest(id=person.principal.session_id))
    # A token of this workspace that names a session of that one.
    mixed = staff.portal.as_(replace(person.principal, workspace_id=staff.portal.principal.workspace_id))
    async with refused(404, "not-found"):
        await mixed.call("TerminateSession", pb2.TerminateSessionRequest())


async def test_another_clients_session_is_not_there(staff: Provider) -> None:
    person, other = await staff.person(), await staff.person()
    mixed = staff.portal.as_(replace(person.principal, session_id=other.principal.session_id))
    async with refused(403, "no-session"):
        await mixed.call("GetSession", pb2.GetSessionRequest())
    async with refused(404, "not-found"):
        await mixed.call("TerminateSession", pb2.TerminateSessionRequest())


@pytest.mark.parametrize("change", ["expires_at = now()", "idle_until = now()", "ended_at = now()"])
async def test_what_is_too_old_or_left_alone_is_over(
    staff: Provider, gateway: Caller, admin: Admin, workspace: str, change: str
) -> None:
    person = await staff.person()
    await admin.execute(f"UPDATE sessions SET {change} WHERE workspace_id = $1", workspace)
    assert not await goes_on(gateway, person)
    page = await staff.portal.call("ListSessions", pb2.ListSessionsRequest(status=pb2.PortalSession.ACTIVE))
    assert list(page.data) == []


async def test_use_is_noted_and_puts_the_end_off(
    staff: Provider, gateway: Caller, admin: Admin, workspace: str
) -> None:
    person = await staff.person()
    await admin.execute(
        "UPDATE sessions SET last_seen_at = now() - interval '2 hours', idle_until = now() + interval '1 minute' "
        "WHERE workspace_id = $1",
        workspace,
    )
    assert await goes_on(gateway, person)
    [row] = await admin.fetch("SELECT * FROM sessions WHERE workspace_id = $1", workspace)
    assert row["idle_until"] - row["last_seen_at"] == timedelta(minutes=720)


async def test_whoever_is_archived_is_out_once_that_is_looked_at(
    staff: Provider, gateway: Caller, admin: Admin, workspace: str
) -> None:
    contact = await staff.contact()
    person = await staff.person(contact)
    request = UpdateContactRequest(id=contact.id, contact=Contact(status=Contact.ARCHIVED))
    request.update_mask.paths.append("status")
    await staff.ops.call("UpdateContact", request)
    await admin.execute(
        "UPDATE sessions SET last_seen_at = now() - interval '2 minutes' WHERE workspace_id = $1", workspace
    )
    assert not await goes_on(gateway, person)


async def test_how_long_is_the_workspaces_to_say(staff: Provider, administrator: Caller) -> None:
    settings = WorkspaceSettings(portal=Portal(session_hours=2, idle_minutes=10))
    await administrator.call("ReplaceWorkspaceSettings", ReplaceWorkspaceSettingsRequest(settings=settings))
    contact = await staff.contact()

    async def begun() -> pb2.PortalSession | None:
        session: pb2.PortalSession = (await staff.exchange((await staff.invite(contact)).token)).session
        idle = session.idle_until.ToDatetime() - session.created_at.ToDatetime()
        return session if idle == timedelta(minutes=10) else None

    found: pb2.PortalSession = await eventually(begun)
    # Of two hours, not of a week; when exactly is a matter of two clock readings.
    assert found.expires_at.ToDatetime() - found.created_at.ToDatetime() < timedelta(hours=3)


async def test_only_a_service_asks_whether_a_session_goes_on(staff: Provider) -> None:
    person = await staff.person()
    for caller in (staff.portal, person):
        async with refused(403):
            await goes_on(caller, person)


async def test_a_token_of_another_issuer_has_no_session(staff: Provider) -> None:
    contact = await staff.contact()
    principal = Principal(
        "dev", frozenset({"client_portal"}), staff.portal.principal.workspace_id, client_id=contact.client_id
    )
    outside = staff.portal.as_(principal)
    async with refused(403, "no-session"):
        await outside.call("GetSession", pb2.GetSessionRequest())
    async with refused(409, "no-session"):
        await outside.call("TerminateSession", pb2.TerminateSessionRequest())


def session(**changed: Any) -> dict[str, Any]:
    later = NOW + timedelta(hours=1)
    return {"ended_at": None, "expires_at": later, "idle_until": later, "last_seen_at": NOW, **changed}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "active"),
        ({"expires_at": NOW}, "expired"),
        ({"idle_until": NOW}, "expired"),
        ({"ended_at": NOW}, "ended"),
        ({"ended_at": NOW, "expires_at": NOW}, "ended"),
    ],
)
def test_what_a_session_is(changed: dict[str, Any], status: str) -> None:
    assert rules.status_of(session(**changed), NOW) == status
    assert rules.goes_on(session(**changed), NOW) == (status == "active")


def test_use_is_noted_once_a_minute() -> None:
    assert not rules.is_to_be_noted(session(), NOW + timedelta(seconds=59))
    assert rules.is_to_be_noted(session(), NOW + timedelta(seconds=60))
