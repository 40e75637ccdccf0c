"""TicketCommentService."""

from typing import Any

import asyncpg

from kit import contract
from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import ticket_comments_pb2 as pb2
from services.ops.service_desk.ticket_comments import rules, store
from services.ops.service_desk.tickets.handlers import TicketHandlers

_WORDS = contract.enum_words(pb2.TicketComment.DESCRIPTOR.fields_by_name["visibility"])


class TicketCommentHandlers:
    """What is said about tickets; some of it changes them, through `tickets`."""

    def __init__(self, tickets: TicketHandlers) -> None:
        self._tickets = tickets

    async def list_ticket_comments(
        self, request: pb2.ListTicketCommentsRequest, session: Session
    ) -> pb2.ListTicketCommentsResponse:
        if await self._tickets.store.get(session, request.ticket_id) is None:
            raise NotFound(f"There is no ticket {request.ticket_id}.")
        listing = Listing.of(request, pb2.TicketComment.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        answer = pb2.ListTicketCommentsResponse(**listing.answer([_message(row) for row in rows], total))
        # It is part of the path.
        del answer.filters["ticketId"]
        return answer

    async def create_ticket_comment(
        self, request: pb2.CreateTicketCommentRequest, work: UnitOfWork
    ) -> pb2.TicketComment:
        comment = request.comment
        visibility = pb2.TicketComment.Visibility.Name(
            comment.visibility or (pb2.TicketComment.PUBLIC if comment.from_client else pb2.TicketComment.INTERNAL)
        ).lower()
        rules.check(visibility=visibility, from_client=comment.from_client)

        def answer(ticket: dict[str, Any]) -> None:
            rules.answer(ticket, visibility=visibility, from_client=comment.from_client, now=work.now)

        await self._tickets.amend(work, await self._tickets.lock(work, request.ticket_id), answer)
        record = await store.add_comment(
            work, request.ticket_id, body=comment.body, visibility=visibility, from_client=comment.from_client
        )
        return _message(record)


def _message(record: asyncpg.Record) -> pb2.TicketComment:
    return pb2.TicketComment(**{**record, "visibility": _WORDS[record["visibility"]]})
