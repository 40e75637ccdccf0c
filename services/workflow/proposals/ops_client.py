"""What workflow does at ops: proposals, with the identity of the execution that proposed them."""

from google.protobuf.message import Message

from kit import contract, ids
from kit.calls import Passport, ServiceCall, Services
from kit.errors import Problem
from kit.identity import Principal
from kit.logs import get_logger
from opsfield.ops.v1.ticket_comments_pb2 import CreateTicketCommentRequest, TicketComment
from services.workflow.executions.rules import Row
from services.workflow.proposals.actions import Effect

_SECONDS = 10.0
_RPCS = [
    "CreateTicket",
    "UpdateTicket",
    "CreateTicketComment",
    "LinkTicketRunbook",
    "CreateIncident",
    "CreateInvoice",
    "LinkAlertTicket",
]
_EFFECTS_OF = "execution-"

log = get_logger(__name__)


class LinkFailedError(Exception):
    """Of a proposal the first part is done, a further one cannot be."""

    def __init__(self, resource_id: str, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.resource_id = resource_id
        self.problem = problem


def correlation_id(execution_id: str) -> str:
    """What all effects of an execution are correlated by."""
    return f"{_EFFECTS_OF}{execution_id}"


def execution_of(correlation: str) -> str | None:
    """The execution whose effect has this correlation id."""
    return correlation.removeprefix(_EFFECTS_OF) if correlation.startswith(_EFFECTS_OF) else None


class OpsClient:
    """Each call has the same key whenever it is made for the same step of the same attempt, so it takes effect once."""

    def __init__(self, services: Services) -> None:
        rpcs = contract.by_name("ops")
        self._calls = {name: ServiceCall(services, "ops", rpcs[name], timeout=_SECONDS) for name in _RPCS}

    async def carry_out(self, row: Row, workspace_id: str, index: int, effect: Effect) -> str:
        """Do a proposal, and write it down on the ticket it concerns. Returns the id of what was created or changed.
        Raises the problem that ops answers, Unavailable when it does not, and LinkFailedError."""
        step = f"{row['attempt']}/{index}"
        # An attempt before has done the first part.
        resource_id: str | None = row["proposals"][index].get("resource_id")
        if resource_id is None:
            answer = await self._call(effect.rpc, effect.request, _passport(row, workspace_id, step))
            resource_id = str(effect.resource_id or answer.id)  # type: ignore[attr-defined] # all of them have one
        for place, link in enumerate(effect.links(resource_id)):
            try:
                await self._call(link.rpc, link.request, _passport(row, workspace_id, f"{step}/link/{place}"))
            except Problem as problem:
                if is_passing(problem):
                    raise
                raise LinkFailedError(resource_id, problem) from problem
        if effect.ticket_id is not None:
            ticket_id = effect.ticket_id or resource_id
            await self._write_down(row, workspace_id, step, ticket_id, effect.done, row["proposals"][index]["summary"])
        return resource_id

    async def _write_down(
        self, row: Row, workspace_id: str, step: str, ticket_id: str, done: str, summary: str
    ) -> None:
        body = f"{row['agent']}.{row['reasoner']} {done}: {summary} (execution {row['id']})"
        comment = TicketComment(body=body[:20_000], visibility=TicketComment.INTERNAL)
        request = CreateTicketCommentRequest(ticket_id=ticket_id, comment=comment)
        try:
            await self._call("CreateTicketComment", request, _passport(row, workspace_id, f"{step}/comment"))
        except Problem as problem:
            if is_passing(problem):
                raise
            # What is proposed is done; that it cannot be written down (the ticket is gone) does not undo it.
            log.warning("comment not written", execution=row["id"], ticket=ticket_id, reason=problem.detail)

    async def _call(self, rpc: str, request: Message, passport: Passport) -> Message:
        return (await self._calls[rpc](request, passport)).message


def is_passing(problem: Problem) -> bool:
    """Whether the same call may succeed later."""
    return problem.status >= 500 or problem.retry_after is not None


def _passport(row: Row, workspace_id: str, step: str) -> Passport:
    subject = f"agent:{row['agent']}.{row['reasoner']}"
    return Passport(
        Principal(subject, workspace_id=workspace_id, service="workflow"),
        correlation_id(row["id"]),
        idempotency_key=ids.child_key(row["id"], step),
    )
