"""Invites: of whom, how often, for how long."""

import asyncio
import uuid
from typing import Any

import pytest

from kit.errors import Conflict, Unauthenticated
from opsfield.ops.v1.contacts_pb2 import Contact, UpdateContactRequest
from opsfield.portal.v1 import invites_pb2 as pb2
from opsfield.portal.v1.sessions_pb2 import CheckSessionRequest, ListSessionsRequest, PortalSession
from services.portal.invites.tokens import hash_of
from services.portal.sessions.handlers import TRIES
from services.portal.tests.caller import Admin, Provider
from tests.callers import refused


async def listed(staff: Provider, **query: Any) -> list[tuple[str, int]]:
    page = await staff.portal.call("ListInvites", pb2.ListInvitesRequest(**query))
    return [(each.email, each.status) for each in page.data]


async def archive(staff: Provider, contact: Contact) -> None:
    request = UpdateContactRequest(id=contact.id, contact=Contact(status=Contact.ARCHIVED))
    request.update_mask.paths.append("status")
    await staff.ops.call("UpdateContact", request)


async def test_an_invite_is_for_an_active_contact_of_the_client(staff: Provider, elsewhere: Provider) -> None:
    contact = await staff.contact()
    other = await staff.contact()
    foreign = await elsewhere.contact()
    for client_id, email in (
        (contact.client_id, other.email),
        (contact.client_id, "nobody@example.com"),
        (foreign.client_id, foreign.email),
    ):
        async with refused(422, "validation-failed", path="email"):
            await staff.portal.call("CreateInvite", pb2.CreateInviteRequest(client_id=client_id, email=email))
    made = await staff.invite(contact, role=pb2.APPROVER)
    assert (made.invite.contact_id, made.invite.name) == (contact.id, contact.name)
    assert (made.invite.role, made.invite.status) == (pb2.APPROVER, pb2.Invite.PENDING)
    await archive(staff, other)
    async with refused(422, "validation-failed", path="email"):
        await staff.invite(other)


async def test_the_token_is_stored_nowhere(staff: Provider, admin: Admin, workspace: str) -> None:
    made = await staff.invite(await staff.contact())
    stored = await admin.fetchval("SELECT hash FROM invites WHERE workspace_id = $1", workspace)
    assert stored == hash_of(made.token)
    secret = made.token.partition("invite_")[2].encode()
    for table in ("invites", "idempotency_keys", "outbox", "audit_entries"):
        for row in await admin.fetch(f"SELECT * FROM {table} WHERE workspace_id = $1", workspace):
            assert secret not in repr(tuple(row)).encode()


async def test_a_token_is_good_once(staff: Provider) -> None:
    token = (await staff.invite(await staff.contact())).token
    key = uuid.uuid4().hex
    first = await staff.exchange(token, key=key)
    assert await staff.exchange(token, key=key) == first, "the same request again gets the first answer"
    async with refused(401, "token-refused"):
        await staff.exchange(token)


async def test_of_many_at_once_one_gets_in(staff: Provider) -> None:
    token = (await staff.invite(await staff.contact())).token

    async def attempt() -> bool:
        try:
            await staff.exchange(token)
        except (Unauthenticated, Conflict):
            return False
        return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(TRIES)))) == 1
    sessions = await staff.portal.call("ListSessions", ListSessionsRequest())
    assert len(sessions.data) == 1


async def test_a_token_that_is_none_is_refused_alike_and_not_without_end(staff: Provider, elsewhere: Provider) -> None:
    token = (await staff.invite(await staff.contact())).token
    _, _, secret = token.partition(".")
    for wrong in (token + "x", token[:-1], f"{elsewhere.portal.principal.workspace_id}.{secret}", "nowhere.x"):
        async with refused(401, "token-refused"):
            await staff.exchange(wrong)
    for _ in range(TRIES):
        async with refused(401, "token-refused"):
            await staff.exchange(token + "y")
    async with refused(429):
        await staff.exchange(token + "y")
    await staff.exchange(token)


@pytest.mark.parametrize("change", ["expires_at = now()", "revoked_at = now()"])
async def test_what_is_over_opens_nothing(staff: Provider, admin: Admin, workspace: str, change: str) -> None:
    token = (await staff.invite(await staff.contact())).token
    await admin.execute(f"UPDATE invites SET {change} WHERE workspace_id = $1", workspace)
    async with refused(401, "token-refused"):
        await staff.exchange(token)


async def test_whoever_is_archived_does_not_get_in(staff: Provider) -> None:
    contact = await staff.contact()
    token = (await staff.invite(contact)).token
    await archive(staff, contact)
    async with refused(401, "token-refused"):
        await staff.exchange(token)


async def test_a_new_invite_takes_the_place_of_an_old_one(staff: Provider) -> None:
    contact = await staff.contact()
    old = (await staff.invite(contact)).token
    new = (await staff.invite(contact)).token
    async with refused(401, "token-refused"):
        await staff.exchange(old)
    await staff.exchange(new)
    assert await listed(staff, status=pb2.Invite.REVOKED) == [(contact.email, pb2.Invite.REVOKED)]
    assert await listed(staff, q=contact.email[:8].upper(), status=pb2.Invite.USED) == [
        (contact.email, pb2.Invite.USED)
    ]
    assert await listed(staff, client_id=str(uuid.uuid4())) == []


async def test_revoking_ends_what_began_with_it(staff: Provider, elsewhere: Provider) -> None:
    made = await staff.invite(await staff.contact())
    session = (await staff.exchange(made.token)).session
    async with refused(404, "not-found"):
        await elsewhere.portal.call("RevokeInvite", pb2.RevokeInviteRequest(id=made.invite.id))
    first = await staff.portal.call("RevokeInvite", pb2.RevokeInviteRequest(id=made.invite.id))
    again = await staff.portal.call("RevokeInvite", pb2.RevokeInviteRequest(id=made.invite.id))
    assert first == again
    assert first.status == pb2.Invite.REVOKED
    [found] = (await staff.portal.call("ListSessions", ListSessionsRequest(status=PortalSession.ENDED))).data
    assert (found.id, found.ended_by) == (session.id, "ada")


async def test_what_was_over_long_ago_is_forgotten(staff: Provider, admin: Admin, workspace: str) -> None:
    contact = await staff.contact()
    for _ in range(2):
        await staff.exchange((await staff.invite(contact)).token)
    await staff.invite(contact)
    long_ago = "UPDATE {} SET expires_at = now() - interval '91 days' WHERE workspace_id = $1"
    await admin.execute(long_ago.format("invites"), workspace)
    await staff.invite(contact)
    # Those of sessions that may still go on are kept.
    assert await admin.fetchval("SELECT count(*) FROM invites WHERE workspace_id = $1", workspace) == 3
    await admin.execute(long_ago.format("sessions"), workspace)
    await staff.invite(contact)
    for table, count in (("invites", 2), ("sessions", 0)):
        assert await admin.fetchval(f"SELECT count(*) FROM {table} WHERE workspace_id = $1", workspace) == count


async def test_who_may_invite(staff: Provider) -> None:
    contact = await staff.contact()
    request = pb2.CreateInviteRequest(client_id=contact.client_id, email=contact.email)
    person = await staff.person(contact, role=pb2.APPROVER)
    for name, sent in (
        ("CreateInvite", request),
        ("ListInvites", pb2.ListInvitesRequest()),
        ("ListSessions", ListSessionsRequest()),
        ("CheckSession", CheckSessionRequest(id=person.principal.session_id)),
    ):
        async with refused(403):
            await person.call(name, sent)
