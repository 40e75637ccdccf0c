"""Runs a reasoner as the runtime does: gather, over JSON to a worker, reason; and holds it to what it promises."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jsonschema import Draft202012Validator

from kit import clock, validation
from opsfield.ops.v1.incidents_pb2 import CreateIncidentRequest, Incident
from opsfield.ops.v1.invoices_pb2 import CreateInvoiceRequest, Invoice
from opsfield.ops.v1.ticket_comments_pb2 import CreateTicketCommentRequest, TicketComment
from opsfield.ops.v1.tickets_pb2 import CreateTicketRequest, LinkTicketRunbookRequest, Ticket, UpdateTicketRequest
from services.agent_runtime.reasoners import REASONERS, ProposedAction, Result
from services.agent_runtime.tests.fake_ops import FakeOps
from services.agent_runtime.tests.rows import Row, message_of

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
MOST_CALLS, MOST_ROWS, MOST_PROPOSALS = 20, 2000, 20
_UPDATES = {"id", "priority", "category", "tier", "tags"}


def run(name: str, input_: Row, rows: Mapping[str, Sequence[Row]], *, now: datetime = NOW) -> Result:
    """The result over these rows, checked."""
    reader = FakeOps(rows)
    return asyncio.run(run_over(name, input_, reader, now=now))


async def run_over(name: str, input_: Row, reader: Any, *, now: datetime | None = None) -> Result:
    """The result of a reasoner over what a reader gives; `reader` counts `calls` and `rows`."""
    reasoner = REASONERS[name]
    Draft202012Validator(reasoner.input_schema).validate(input_)
    assert reasoner.gather is not None
    with clock.at(now or clock.now()):
        data = await reasoner.gather(reader, input_)
    assert reader.calls <= MOST_CALLS
    assert reader.rows <= MOST_ROWS
    sent = json.dumps(data, allow_nan=False)
    result = reasoner.reason(input_, json.loads(sent))
    again = reasoner.reason(input_, json.loads(sent))
    assert again == result, "the same rows give the same result"
    check(name, result)
    return result


def check(name: str, result: Result) -> None:
    """All that is promised of any result."""
    Draft202012Validator(REASONERS[name].output_schema).validate(result.output)
    assert json.loads(json.dumps([result.output, result.evidence], allow_nan=False)) == [result.output, result.evidence]
    assert len(result.proposals) <= MOST_PROPOSALS
    for proposal in result.proposals:
        check_proposal(proposal)
        assert result.evidence["rules"], "nothing is proposed without a reason"


def check_proposal(proposal: ProposedAction) -> None:
    """Whether the API would take it."""
    given = json.loads(json.dumps(proposal.parameters, allow_nan=False))
    assert proposal.summary.strip()
    request: Any
    match proposal.action:
        case "create_ticket":
            given.pop("alertIds", None)
            request, body = CreateTicketRequest(ticket=message_of(Ticket, given)), "ticket"
        case "update_ticket":
            assert given.keys() <= _UPDATES
            assert len(given) > 1
            ticket_id = given.pop("id")
            request, body = UpdateTicketRequest(id=ticket_id, ticket=message_of(Ticket, given)), "ticket"
            request.update_mask.paths.extend(given)
        case "comment_ticket":
            ticket_id = given.pop("id")
            comment = message_of(TicketComment, given)
            request, body = CreateTicketCommentRequest(ticket_id=ticket_id, comment=comment), "comment"
            assert given["visibility"] == "internal"
        case "link_runbook":
            request, body = LinkTicketRunbookRequest(id=given.pop("id"), runbook_id=given.pop("runbookId")), "*"
            assert not given
        case "create_incident":
            request, body = CreateIncidentRequest(incident=message_of(Incident, given)), "incident"
        case "create_invoice":
            request, body = CreateInvoiceRequest(invoice=message_of(Invoice, given)), "invoice"
        case _:
            raise AssertionError(f"{proposal.action} is no action that is proposed")
    validation.check_request(request, body)
