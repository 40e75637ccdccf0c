"""Incidents: what belongs to them, their timeline, and their end."""

import asyncio
from typing import Any

import pytest

from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.incidents_pb2 import Incident
from services.ops.tests.client import Ops
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def alert(ops: Ops) -> Alert:
    made: Alert = await ops.create(Alert(source="uptime", title="Mail is down"))
    return made


async def declare(ops: Ops, **fields: Any) -> Incident:
    made: Incident = await ops.create(Incident(title="Mail is down", **fields))
    return made


async def test_a_new_incident_has_its_defaults_and_a_number(ops: Ops) -> None:
    made = await declare(ops)
    assert (made.number, made.status, made.severity) == ("INC-1001", Incident.OPEN, Incident.SEV3)
    assert made.started_at == made.created_at
    assert [(each.status, each.by) for each in made.timeline] == [(Incident.OPEN, "ada")]
    assert await ops.get(made) == made


async def test_what_belongs_to_it_is_of_this_workspace(ops: Ops, alert: Alert, workspace: str) -> None:
    client = await ops.create_client()
    ticket = await ops.create_ticket(client)
    made = await declare(ops, alert_ids=[alert.id], ticket_ids=[ticket.id], client_ids=[client.id])
    assert (list(made.alert_ids), list(made.ticket_ids)) == ([alert.id], [ticket.id])
    elsewhere = await ops.of(f"{workspace}-2").create(Alert(source="uptime", title="Not yours"))
    for missing in (NOBODY, elsewhere.id):
        async with refused(422, path="alertIds[1]"):
            await ops.patch(made, alert_ids=[alert.id, missing])
    async with refused(422, path="ticketIds[0]"):
        await ops.patch(made, ticket_ids=[alert.id])
    async with refused(422, path="clientIds[0]"):
        await declare(ops, client_ids=[ticket.id])
    assert await ops.get(made) == made


async def test_the_timeline_tells_who_did_what(ops: Ops) -> None:
    made = await declare(ops)
    await ops.patch(made, status=Incident.INVESTIGATING)
    bob = ops.of(ops.principal.workspace_id, subject="bob")
    await bob.do("AddIncidentNote", made, note="The relay is unplugged.")
    told = (await ops.patch(made, status=Incident.IDENTIFIED)).timeline
    assert [(each.status, each.note, each.by) for each in told] == [
        (Incident.OPEN, "", "ada"),
        (Incident.INVESTIGATING, "", "ada"),
        (Incident.STATUS_UNSPECIFIED, "The relay is unplugged.", "bob"),
        (Incident.IDENTIFIED, "", "ada"),
    ]
    replaced = await ops.replace(Incident(id=made.id, title="Other"))
    assert (replaced.timeline, replaced.status) == (told, Incident.IDENTIFIED)


async def test_notes_added_at_once_are_all_kept(ops: Ops) -> None:
    made = await declare(ops)
    await asyncio.gather(*(ops.do("AddIncidentNote", made, note=str(each)) for each in range(10)))
    notes = [each.note for each in (await ops.get(made)).timeline if each.note]
    assert sorted(notes) == sorted(str(each) for each in range(10))


async def test_while_alerts_fire_one_must_say_why_it_is_over(ops: Ops, alert: Alert) -> None:
    made = await declare(ops, alert_ids=[alert.id])
    async with refused(409, "alerts-open"):
        await ops.patch(made, status=Incident.RESOLVED)
    await ops.do("ResolveAlert", alert)
    resolved = await ops.patch(made, status=Incident.RESOLVED)
    assert resolved.resolved_at == resolved.updated_at
    other = await declare(ops, alert_ids=[(await ops.create(Alert(source="uptime", rule="x", title="y"))).id])
    await ops.patch(other, status=Incident.RESOLVED, override_reason="The sensor is broken")


async def test_the_end_is_a_postmortem_that_says_the_cause(ops: Ops) -> None:
    made = await declare(ops)
    async with refused(409, "illegal-transition"):
        await ops.patch(made, status=Incident.POSTMORTEM, root_cause="A cable")
    await ops.patch(made, status=Incident.RESOLVED)
    async with refused(422, path="rootCause"):
        await ops.patch(made, status=Incident.POSTMORTEM)
    done = await ops.patch(made, status=Incident.POSTMORTEM, root_cause="A cable", postmortem="Two cables now.")
    assert (done.status, done.resolved_at != done.updated_at) == (Incident.POSTMORTEM, True)
