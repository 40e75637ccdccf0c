"""Proposals: decided on, done at ops with the execution's identity, each exactly once. Ops is the real one."""

import asyncio
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit.errors import Problem
from opsfield.ops.v1 import alerts_pb2, clients_pb2, runbooks_pb2, ticket_comments_pb2, tickets_pb2
from opsfield.ops.v1.tickets_pb2 import Ticket
from opsfield.platform.v1 import settings_pb2
from opsfield.workflow.v1.executions_pb2 import Decision, Execution, Proposal
from services.workflow.tests.caller import Caller
from services.workflow.tests.runtime import Runtime, proposal
from services.workflow.tests.told import topics
from tests.callers import refused

DEATH = 137


NEVER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
async def client_id(ops: Caller) -> str:
    client = await ops.call("CreateClient", clients_pb2.CreateClientRequest(client={"name": "Bluewater"}))
    return str(client.id)


@pytest.fixture
async def ticket(ops: Caller, client_id: str) -> Ticket:
    request = tickets_pb2.CreateTicketRequest(ticket={"subject": "Printer", "client_id": client_id})
    found: Ticket = await ops.call("CreateTicket", request)
    return found


async def comments(ops: Caller, ticket_id: str) -> list[Any]:
    request = ticket_comments_pb2.ListTicketCommentsRequest(ticket_id=ticket_id)
    return list((await ops.call("ListTicketComments", request)).data)


async def tickets(ops: Caller) -> list[Ticket]:
    return list((await ops.call("ListTickets", tickets_pb2.ListTicketsRequest())).data)


async def get_ticket(ops: Caller, ticket: Ticket) -> Ticket:
    found: Ticket = await ops.call("GetTicket", tickets_pb2.GetTicketRequest(id=ticket.id))
    return found


async def proposed(workflow: Caller, runtime: Runtime, *proposals: Proposal) -> Execution:
    """An execution that awaits a decision on these."""
    execution = await workflow.execute()
    await runtime.finish(execution, *proposals, output={"priority": "high"})
    return await workflow.until(execution, Execution.APPROVAL_REQUIRED)


def raise_priority(ticket: Ticket) -> Proposal:
    return proposal("UPDATE_TICKET", "Work has stopped.", id=ticket.id, priority="high", category="Print", tier=2)


async def test_what_is_approved_is_done_and_shown_on_the_ticket(
    workflow: Caller,
    ops: Caller,
    runtime: Runtime,
    ticket: Ticket,
    workspace: str,
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    waiting = await proposed(workflow, runtime, raise_priority(ticket))
    assert (waiting.is_final, len(waiting.proposals_digest)) == (False, 64)
    assert waiting.proposals[0].state == Proposal.PROPOSED
    assert (await get_ticket(ops, ticket)).priority == Ticket.MEDIUM
    deciding = await workflow.decide(waiting)
    assert (deciding.status, deciding.decision.verdict) == (Execution.RUNNING, Decision.APPROVED)
    assert (deciding.decision.decided_by, deciding.decision.reason) == ("ada", "Because.")
    done = await workflow.until(waiting, Execution.SUCCEEDED)
    assert (done.proposals[0].state, done.proposals[0].resource_id) == (Proposal.APPLIED, ticket.id)
    now = await get_ticket(ops, ticket)
    assert (now.priority, now.category, now.tier) == (Ticket.HIGH, "Print", 2)
    [comment] = await comments(ops, ticket.id)
    assert comment.author == "agent:triage.classify"
    assert comment.visibility == ticket_comments_pb2.TicketComment.INTERNAL
    assert comment.body == (
        "triage.classify set the category to Print, the priority to high, the tier to 2: Work has stopped. "
        f"(execution {done.id})"
    )
    assert await topics(admin, workspace, done.id) == ["execution-requested", "workflow.completed"]


async def test_all_actions(workflow: Caller, ops: Caller, runtime: Runtime, ticket: Ticket, client_id: str) -> None:
    alerts = [
        await ops.call("CreateAlert", alerts_pb2.CreateAlertRequest(alert={**alert, "client_id": client_id}))
        for alert in ({"source": "disk", "title": "Disk"}, {"source": "fan", "title": "Fan"})
    ]
    runbook = await ops.call("CreateRunbook", runbooks_pb2.CreateRunbookRequest(runbook={"title": "Printers"}))
    waiting = await proposed(
        workflow,
        runtime,
        proposal("CREATE_TICKET", subject="New", clientId=client_id, tags=["a"], alertIds=[alerts[0].id]),
        proposal("COMMENT_TICKET", id=ticket.id, body="Have you tried?", visibility="public"),
        proposal("LINK_RUNBOOK", "It helps.", id=ticket.id, runbookId=runbook.id),
        proposal("LINK_ALERT", "Same thing.", alertId=alerts[1].id, ticketId=ticket.id),
        proposal("CREATE_INCIDENT", title="Down", severity="sev2", clientIds=[client_id]),
        proposal(
            "CREATE_INVOICE",
            clientId=client_id,
            currency="EUR",
            lines=[{"description": "Work", "quantity": "1", "unitPrice": "10.00"}],
        ),
    )
    await workflow.decide(waiting)
    done = await workflow.until_final(waiting)
    assert [each.problem for each in done.proposals] == [""] * 6
    assert done.status == Execution.SUCCEEDED
    assert all(each.resource_id for each in done.proposals)
    opened = await get_ticket(ops, tickets_pb2.Ticket(id=done.proposals[0].resource_id))
    assert (opened.created_by, list(opened.alert_ids)) == ("agent:triage.classify", [alerts[0].id])
    now = await get_ticket(ops, ticket)
    assert (list(now.alert_ids), list(now.runbook_ids)) == ([alerts[1].id], [runbook.id])
    assert [comment.body.partition(" (execution")[0] for comment in reversed(await comments(ops, ticket.id))] == [
        "Have you tried?",
        "triage.classify linked a runbook: It helps.",
        "triage.classify linked an alert: Same thing.",
    ]
    [shown] = await comments(ops, opened.id)
    assert shown.body.startswith("triage.classify opened this ticket: It is so.")


async def test_what_is_rejected_is_not_done(workflow: Caller, ops: Caller, runtime: Runtime, ticket: Ticket) -> None:
    waiting = await proposed(workflow, runtime, raise_priority(ticket))
    rejected = await workflow.decide(waiting, "REJECTED")
    assert (rejected.status, rejected.failure_code) == (Execution.FAILED, Execution.PROPOSAL_REJECTED)
    assert rejected.proposals[0].state == Proposal.REJECTED
    await asyncio.sleep(1.2)
    assert await get_ticket(ops, ticket) == ticket
    async with refused(409, "illegal-transition"):
        await workflow.decide(waiting)


async def test_what_is_cancelled_is_not_done(workflow: Caller, ops: Caller, runtime: Runtime, ticket: Ticket) -> None:
    waiting = await proposed(workflow, runtime, raise_priority(ticket))
    await workflow.cancel(waiting)
    async with refused(409, "illegal-transition"):
        await workflow.decide(waiting)
    await asyncio.sleep(1.2)
    assert await get_ticket(ops, ticket) == ticket


async def test_a_decision_is_about_what_was_looked_at(workflow: Caller, runtime: Runtime, ticket: Ticket) -> None:
    waiting = await proposed(workflow, runtime, raise_priority(ticket))
    async with refused(409, "proposals-changed"):
        await workflow.decide(waiting, digest="0" * 64)
    assert await workflow.get(waiting) == waiting


async def test_of_two_decisions_at_once_one_wins(
    workflow: Caller,
    runtime: Runtime,
    ticket: Ticket,
    workspace: str,
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    for _ in range(5):
        waiting = await proposed(workflow, runtime, raise_priority(ticket))
        answers = await asyncio.gather(
            workflow.decide(waiting, "REJECTED"), workflow.decide(waiting, "APPROVED"), return_exceptions=True
        )
        [problem] = [each for each in answers if isinstance(each, Problem)]
        assert problem.status == 409
        done = await workflow.until_final(waiting)
        [winner] = [each for each in answers if isinstance(each, Execution)]
        assert done.decision == winner.decision
        assert (await topics(admin, workspace, done.id)).count("workflow.completed") == 1


async def test_a_proposal_that_cannot_be_done_fails_and_the_others_stay(
    workflow: Caller, ops: Caller, runtime: Runtime, ticket: Ticket
) -> None:
    nobody = "018f0000-0000-7000-8000-000000000000"
    waiting = await proposed(
        workflow,
        runtime,
        raise_priority(ticket),
        proposal("CREATE_TICKET", subject="New", clientId=nobody),
        proposal("COMMENT_TICKET", id=ticket.id, body="Never said."),
    )
    await workflow.decide(waiting)
    failed = await workflow.until(waiting, Execution.FAILED)
    assert failed.failure_code == Execution.PROPOSAL_FAILED
    assert [each.state for each in failed.proposals] == [Proposal.APPLIED, Proposal.FAILED, Proposal.PROPOSED]
    assert "clientId" in failed.proposals[1].problem
    assert (await get_ticket(ops, ticket)).priority == Ticket.HIGH
    assert len(await comments(ops, ticket.id)) == 1


@pytest.mark.parametrize(
    "bad",
    [
        proposal("UPDATE_TICKET", priority="high"),
        proposal("UPDATE_TICKET", id="018f0000-0000-7000-8000-000000000000", priority="sky-high"),
        proposal("UPDATE_TICKET", id="018f0000-0000-7000-8000-000000000000", number="T-1"),
        proposal("CREATE_TICKET", subjekt="New"),
        proposal("LINK_ALERT", alertId=1),
        Proposal(summary="Of no action."),
    ],
)
async def test_bad_parameters_fail_the_proposal(workflow: Caller, runtime: Runtime, bad: Proposal) -> None:
    waiting = await proposed(workflow, runtime, bad)
    await workflow.decide(waiting)
    failed = await workflow.until(waiting, Execution.FAILED)
    assert failed.failure_code == Execution.PROPOSAL_FAILED
    assert failed.proposals[0].problem


async def test_the_policy_decides_where_the_workspace_says_so(
    workflow: Caller, ops: Caller, platform: Caller, runtime: Runtime, ticket: Ticket
) -> None:
    settings = settings_pb2.WorkspaceSettings(automation={"apply_at_once": ["triage.*"]})
    await platform.call("ReplaceWorkspaceSettings", settings_pb2.ReplaceWorkspaceSettingsRequest(settings=settings))
    # A copy of the settings is right within 2 s of a change.
    await asyncio.sleep(2.5)
    execution = await workflow.execute()
    await runtime.finish(execution, raise_priority(ticket))
    done = await workflow.until(execution, Execution.SUCCEEDED)
    assert (done.decision.decided_by, done.decision.verdict) == ("policy", Decision.APPROVED)
    assert (await get_ticket(ops, ticket)).priority == Ticket.HIGH


@pytest.mark.parametrize("point", ["after-proposal-take", "before-proposal-record", "after-proposal-record"])
async def test_a_crash_neither_loses_nor_doubles_an_effect(
    stack: Stack,
    workflow: Caller,
    ops: Caller,
    runtime: Runtime,
    ticket: Ticket,
    client_id: str,
    point: str,
    workspace: str,
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    before = len(await tickets(ops))
    waiting = await proposed(
        workflow, runtime, raise_priority(ticket), proposal("CREATE_TICKET", subject="New", clientId=client_id)
    )
    await stack.stop("workflow")
    await stack.start("workflow", {"CRASH_AT": point})
    await workflow.decide(waiting)
    assert await stack.wait("workflow") == DEATH
    await stack.start("workflow", {})
    # Whoever took it up and died had it for a minute.
    await admin.execute("UPDATE executions SET applies_at = now() WHERE id = $1 AND applies_at > now()", waiting.id)
    await workflow.until(waiting, Execution.SUCCEEDED)
    assert len(await tickets(ops)) == before + 1
    assert len(await comments(ops, ticket.id)) == 1
    assert (await topics(admin, workspace, waiting.id)).count("workflow.completed") == 1


async def test_a_retry_does_not_do_again_what_is_done(
    workflow: Caller, ops: Caller, runtime: Runtime, client_id: str
) -> None:
    proposals = [
        proposal("CREATE_TICKET", subject="Replace the server", clientId=client_id),
        proposal("UPDATE_TICKET", id=NEVER, priority="high"),
    ]
    waiting = await proposed(workflow, runtime, *proposals)
    await workflow.decide(waiting)
    failed = await workflow.until(waiting, Execution.FAILED)
    again = await workflow.retry(failed)
    [done] = again.proposals
    assert (done.state, done.resource_id) == (Proposal.APPLIED, failed.proposals[0].resource_id)
    await runtime.finish(again, *proposals, attempt=2, output={"priority": "high"})
    waiting = await workflow.until(again, Execution.APPROVAL_REQUIRED)
    assert [each.state for each in waiting.proposals] == [Proposal.APPLIED, Proposal.PROPOSED]
    await workflow.decide(waiting)
    await workflow.until(again, Execution.FAILED)
    assert [each.subject for each in await tickets(ops)] == ["Replace the server"]


async def test_what_was_begun_long_ago_is_not_sent_again(
    stack: Stack,
    workflow: Caller,
    ops: Caller,
    runtime: Runtime,
    client_id: str,
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    waiting = await proposed(workflow, runtime, proposal("CREATE_TICKET", subject="New", clientId=client_id))
    await stack.stop("workflow")
    await stack.start("workflow", {"CRASH_AT": "before-proposal-record"})
    await workflow.decide(waiting)
    assert await stack.wait("workflow") == DEATH
    # As if nobody had been there for a day, after which ops knows the key no more.
    await admin.execute(
        """
        UPDATE executions SET applies_at = now(),
            proposals = jsonb_set(proposals, '{0,sent_at}', to_jsonb(now() - interval '21 hours'))
        WHERE id = $1
        """,
        waiting.id,
    )
    await stack.start("workflow", {})
    failed = await workflow.until(waiting, Execution.FAILED)
    assert "not known" in failed.proposals[0].problem
    assert len(await tickets(ops)) == 1


async def test_it_waits_for_ops(stack: Stack, workflow: Caller, ops: Caller, runtime: Runtime, ticket: Ticket) -> None:
    waiting = await proposed(workflow, runtime, raise_priority(ticket))
    await stack.stop("ops")
    await workflow.decide(waiting)
    await asyncio.sleep(2)
    still = await workflow.get(waiting)
    assert (still.status, still.proposals[0].state) == (Execution.RUNNING, Proposal.PROPOSED)
    async with refused(409, "illegal-transition"):
        await workflow.cancel(waiting)
    await stack.start("ops")
    await workflow.until(waiting, Execution.SUCCEEDED)
    assert len(await comments(ops, ticket.id)) == 1
