"""InviteService."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kit.database import Session
from kit.errors import FieldError, Invalid, NotFound
from kit.paging import Listing
from kit.resources.convert import builder_of
from kit.unit_of_work import UnitOfWork
from opsfield.portal.v1 import invites_pb2 as pb2
from services.portal.invites import rules, store, tokens
from services.portal.ops_client import OpsClient
from services.portal.sessions import store as sessions

_message: Callable[[Any], pb2.Invite] = builder_of(pb2.Invite)


class InviteHandlers:
    """Invites of contacts that ops knows."""

    def __init__(self, ops: OpsClient) -> None:
        self._ops = ops

    async def list_invites(self, request: pb2.ListInvitesRequest, session: Session) -> pb2.ListInvitesResponse:
        listing = Listing.of(request, pb2.Invite.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return pb2.ListInvitesResponse(**listing.answer([_message(row) for row in rows], total))

    async def create_invite(self, request: pb2.CreateInviteRequest, work: UnitOfWork) -> pb2.NewInvite:
        contact = await self._ops.contact(work.call, request.client_id, email=request.email)
        if contact is None:
            raise Invalid.fields(FieldError("email", "is of no active contact of that client"))
        valid = timedelta(hours=request.valid_hours) if request.HasField("valid_hours") else rules.VALID
        await sessions.forget(work, expired_before=work.now - rules.KEPT)
        await store.forget(work, expired_before=work.now - rules.KEPT)
        await store.revoke_pending(work, contact.id)
        token = tokens.new_token(work.call.workspace_id)
        row = await store.add(
            work,
            tokens.hash_of(token),
            client_id=request.client_id,
            contact_id=contact.id,
            email=contact.email,
            name=contact.name,
            role=pb2.MemberRole.Name(request.role or pb2.MEMBER).lower(),
            expires_at=work.now + valid,
        )
        work.audit(row["id"], None)
        return pb2.NewInvite(token=token, invite=_invite(row, work))

    async def revoke_invite(self, request: pb2.RevokeInviteRequest, work: UnitOfWork) -> pb2.Invite:
        row = await store.revoke(work, request.id)
        if row is None:
            raise NotFound(f"There is no invite {request.id}.")
        await sessions.end_of_invite(work, request.id)
        return _invite(row, work)


def _invite(row: store.Row, work: UnitOfWork) -> pb2.Invite:
    return _message({**row, "status": rules.status_of(row, work.now)})
