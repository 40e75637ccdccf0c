"""SLA policies, and the tickets that are bound to them."""

import asyncio
from datetime import UTC, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from kit.errors import Problem
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.sla_policies_pb2 import (
    SlaCalendar,
    SlaHoliday,
    SlaPolicy,
    SlaTargets,
    SlaWindow,
    UpdateSlaPolicyRequest,
)
from opsfield.ops.v1.ticket_comments_pb2 import TicketComment
from opsfield.ops.v1.tickets_pb2 import SlaTarget, Ticket
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def standard(ops: Ops) -> SlaPolicy:
    created: SlaPolicy = await ops.create(policy(is_default=True))
    return created


def due(ticket: Ticket, target: str) -> timedelta:
    """How long after its creation the target is due."""
    instant = getattr(ticket, f"{target}_due_at").ToDatetime(tzinfo=UTC)
    return instant - ticket.created_at.ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]


async def test_a_policy_is_kept_as_it_was_sent(ops: Ops) -> None:
    windows = [
        SlaWindow(day=SlaWindow.MONDAY, opens="09:00", closes="12:00"),
        SlaWindow(day=SlaWindow.MONDAY, opens="13:00", closes="24:00"),
    ]
    holidays = [SlaHoliday(date="2026-12-25", name="Christmas"), SlaHoliday(date="2026-12-26")]
    calendar = SlaCalendar(time_zone="Europe/Dublin", windows=windows, holidays=holidays)
    created = await ops.create(policy(calendar=calendar, pause_states=[Ticket.WAITING_ON_CLIENT]))
    assert created.calendar == calendar
    assert list(created.pause_states) == [Ticket.WAITING_ON_CLIENT]
    assert (created.warn_percent, created.is_default, len(created.targets)) == (80, False, 2)
    assert await ops.get(created) == created


async def test_hours_that_overlap_are_refused_at_their_place(ops: Ops) -> None:
    windows = [SlaWindow(day=SlaWindow.MONDAY, opens="09:00", closes=closes) for closes in ("12:00", "13:00")]
    async with refused(422, path="calendar.windows[1]"):
        await ops.create(policy(calendar=SlaCalendar(time_zone="UTC", windows=windows)))
    async with refused(422, path="calendar.timeZone"):
        await ops.create(policy(calendar=SlaCalendar(time_zone="Mars/Olympus", always_open=True)))


async def test_a_patch_of_the_calendar_names_only_what_it_changes(ops: Ops, standard: SlaPolicy) -> None:
    calendar = SlaCalendar(holidays=[SlaHoliday(date="2026-12-25")])
    request = UpdateSlaPolicyRequest(
        id=standard.id,
        sla_policy=SlaPolicy(calendar=calendar),
        update_mask=FieldMask(paths=["calendar.holidays"]),
    )
    patched = await ops.call("UpdateSlaPolicy", request)
    assert (patched.calendar.time_zone, patched.calendar.always_open) == ("Europe/Dublin", True)
    assert [each.date for each in patched.calendar.holidays] == ["2026-12-25"]
    request.sla_policy.calendar.holidays[0].date = "2026-02-30"
    async with refused(422, path="calendar.holidays[0].date"):
        await ops.call("UpdateSlaPolicy", request)
    request.update_mask.paths[:] = ["calendar.time_zone"]
    async with refused(422, path="calendar.timeZone"):
        await ops.call("UpdateSlaPolicy", request)


async def test_a_name_is_taken_once(ops: Ops, standard: SlaPolicy) -> None:
    async with refused(409, "already-exists", path="name"):
        await ops.create(policy(standard.name.upper()))


async def test_a_client_has_one_policy_of_its_own(ops: Ops, client: Client) -> None:
    first = await ops.create(policy("first", client_id=client.id))
    async with refused(409, "already-exists", path="clientId"):
        await ops.create(policy("second", client_id=client.id))
    await ops.delete(first)
    await ops.create(policy("second", client_id=client.id))
    async with refused(422, path="clientId"):
        await ops.create(policy("third", client_id=NOBODY))


async def test_a_new_default_takes_that_from_the_former(ops: Ops, standard: SlaPolicy) -> None:
    newer = await ops.create(policy("newer", is_default=True))
    former = await ops.get(standard)
    assert (former.is_default, former.version) == (False, 2)
    await ops.patch(former, is_default=True)
    assert (await ops.get(newer)).is_default is False


async def test_of_defaults_set_at_once_one_stays(ops: Ops, standard: SlaPolicy, admin: Any, workspace: str) -> None:
    del standard
    results = await asyncio.gather(
        *(ops.create(policy(f"policy {each}", is_default=True)) for each in range(8)), return_exceptions=True
    )
    assert all(isinstance(each, SlaPolicy) or (isinstance(each, Problem) and each.status == 409) for each in results)
    count = "SELECT count(*) FROM sla_policies WHERE workspace_id = $1 AND is_default"
    assert await admin.fetchval(count, workspace) == 1


async def test_a_ticket_is_bound_to_the_clients_policy_before_the_default(
    ops: Ops, client: Client, standard: SlaPolicy
) -> None:
    own = await ops.create(policy("gold", client_id=client.id, first=10, last=20))
    ticket = await ops.create_ticket(client)
    assert (ticket.sla_policy_id, ticket.sla.policy_name) == (own.id, "gold")
    assert (due(ticket, "first_response"), due(ticket, "resolution")) == (timedelta(minutes=10), timedelta(minutes=20))
    other = await ops.create_ticket(await ops.create_client("Other"))
    assert (other.sla_policy_id, due(other, "resolution")) == (standard.id, timedelta(minutes=240))
    named = await ops.create_ticket(client, sla_policy_id=standard.id)
    assert named.sla_policy_id == standard.id
    async with refused(409, "in-use"):
        await ops.delete(own)


async def test_without_a_policy_nothing_is_promised(ops: Ops, client: Client) -> None:
    ticket = await ops.create_ticket(client)
    assert not ticket.HasField("sla_policy_id")
    assert not ticket.HasField("sla")
    explained = await ops.do("GetTicketSla", ticket)
    assert not explained.HasField("sla")


async def test_a_changed_policy_is_for_the_tickets_to_come(ops: Ops, client: Client, standard: SlaPolicy) -> None:
    bound = await ops.create_ticket(client)
    longer = [SlaTargets(priority=Ticket.CRITICAL, resolution_minutes=6000)]
    await ops.patch(standard, targets=longer)
    raised = await ops.patch(bound, priority=Ticket.CRITICAL)
    assert (due(raised, "resolution"), raised.sla.policy_version) == (timedelta(minutes=120), 1)
    later = await ops.create_ticket(client, priority=Ticket.CRITICAL)
    assert (due(later, "resolution"), later.sla.policy_version) == (timedelta(minutes=6000), 2)
    assert not later.HasField("first_response_due_at")
    assert later.sla.first_response.state == SlaTarget.NONE


async def test_a_waiting_ticket_is_due_at_no_time(ops: Ops, client: Client, standard: SlaPolicy) -> None:
    del standard
    ticket = await ops.patch(await ops.create_ticket(client), status=Ticket.OPEN)
    waiting = await ops.patch(ticket, status=Ticket.WAITING_ON_CLIENT)
    assert not waiting.HasField("resolution_due_at")
    assert (waiting.sla.resolution.state, waiting.sla.first_response.state) == (SlaTarget.PAUSED, SlaTarget.PAUSED)
    going = await ops.patch(ticket, status=Ticket.IN_PROGRESS)
    spans = [(each.status, each.HasField("ended_at")) for each in going.status_spans]
    assert spans == [
        (Ticket.NEW, True),
        (Ticket.OPEN, True),
        (Ticket.WAITING_ON_CLIENT, True),
        (Ticket.IN_PROGRESS, False),
    ]
    paused = going.status_spans[2]
    pause = paused.ended_at.ToDatetime() - paused.started_at.ToDatetime()
    assert due(going, "resolution") == timedelta(minutes=240) + pause


async def test_the_explanation_tells_every_span(ops: Ops, client: Client, standard: SlaPolicy) -> None:
    ticket = await ops.patch(await ops.create_ticket(client), status=Ticket.OPEN)
    await ops.patch(ticket, status=Ticket.WAITING_ON_VENDOR)
    explained = await ops.do("GetTicketSla", ticket)
    assert (explained.sla.policy_id, explained.sla.time_zone) == (standard.id, "Europe/Dublin")
    assert [(each.status, each.runs) for each in explained.intervals] == [
        (Ticket.NEW, True),
        (Ticket.OPEN, True),
        (Ticket.WAITING_ON_VENDOR, False),
    ]
    assert "pauses" in explained.intervals[2].reason
    async with refused(404):
        await ops.do("GetTicketSla", Ticket(id=NOBODY))


async def test_the_first_public_word_of_the_staff_is_the_response(
    ops: Ops, client: Client, standard: SlaPolicy
) -> None:
    del standard
    ticket = await ops.create_ticket(client)
    await ops.comment(ticket, "Among ourselves.")
    await ops.comment(ticket, "Hello?", from_client=True)
    assert not (await ops.get(ticket)).HasField("first_responded_at")
    comment = await ops.comment(ticket, "We are at it.", visibility=TicketComment.PUBLIC)
    answered = await ops.get(ticket)
    assert answered.first_responded_at == comment.created_at
    assert answered.sla.first_response.state == SlaTarget.MET
    assert not answered.HasField("first_response_due_at")
    await ops.comment(ticket, "Still at it.", visibility=TicketComment.PUBLIC)
    assert (await ops.get(ticket)).first_responded_at == comment.created_at


async def test_a_clients_word_ends_the_wait_and_reopens(ops: Ops, client: Client, standard: SlaPolicy) -> None:
    del standard
    ticket = await ops.patch(await ops.create_ticket(client), status=Ticket.OPEN)
    await ops.patch(ticket, status=Ticket.WAITING_ON_CLIENT)
    await ops.comment(ticket, "Here it is.", from_client=True)
    assert (await ops.get(ticket)).status == Ticket.IN_PROGRESS
    resolved = await ops.resolve(ticket)
    assert resolved.sla.resolution.state == SlaTarget.MET
    await ops.comment(ticket, "It is back.", from_client=True)
    reopened = await ops.get(ticket)
    assert (reopened.status, reopened.reopen_count) == (Ticket.OPEN, 1)
    assert reopened.sla.resolution.state == SlaTarget.RUNNING
