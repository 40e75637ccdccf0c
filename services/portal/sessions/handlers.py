"""SessionService."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kit import ids
from kit.bearer_tokens import BearerTokenIssuer
from kit.database import Session
from kit.errors import Conflict, Forbidden, NotFound, Problem, Unauthenticated
from kit.live_settings import SettingsReader
from kit.paging import Listing
from kit.rate_limit import RateLimiter
from kit.resources.convert import builder_of
from kit.unit_of_work import UnitOfWork
from opsfield.portal.v1 import sessions_pb2 as pb2
from services.portal.invites import store as invites
from services.portal.invites import tokens
from services.portal.ops_client import OpsClient
from services.portal.sessions import rules, store

# For one token, in a minute: whoever has it needs one try. The gateway bounds those of one address.
TRIES = 5

_message: Callable[[Any], pb2.PortalSession] = builder_of(pb2.PortalSession)


class SessionHandlers:
    """Sessions begin with an invite, and are looked at by gateways with each request."""

    def __init__(self, ops: OpsClient, issuer: BearerTokenIssuer, settings: SettingsReader) -> None:
        self._ops = ops
        self._issuer = issuer
        self._settings = settings
        self._tries = RateLimiter(TRIES)

    async def exchange_session(self, request: pb2.ExchangeSessionRequest, work: UnitOfWork) -> pb2.NewSession:
        hashed = tokens.hash_of(request.token)
        self._tries.hit((work.call.workspace_id, hashed))
        invite = await invites.use(work, hashed)
        if invite is None or not await self._is_contact(work, invite):
            raise _refused()
        portal = (await self._settings.workspace(work.call.workspace_id)).value.settings.portal
        session_id = ids.new_id()
        token, expires_at = self._issuer.issue(
            f"contact:{invite['contact_id']}",
            workspace_id=work.call.workspace_id,
            role="client_portal",
            lifetime=timedelta(hours=portal.session_hours),
            client_id=invite["client_id"],
            session_id=session_id,
        )
        idle_until = work.now + timedelta(minutes=portal.idle_minutes)
        row = await store.begin(work, session_id, invite, expires_at=expires_at, idle_until=idle_until)
        work.audit(session_id, None)
        return pb2.NewSession(
            access_token=token,
            expires_at=expires_at,
            workspace_id=work.call.workspace_id,
            session=_session(row, work),
        )

    async def get_session(self, _request: pb2.GetSessionRequest, session: Session) -> pb2.PortalSession:
        found = await store.of_caller(session)
        if found is None:
            raise Forbidden("The token belongs to no session of the portal.", code="no-session")
        # Gateways let nobody in whose session has ended.
        return _message({**found, "status": "active"})

    async def terminate_session(self, _request: pb2.TerminateSessionRequest, work: UnitOfWork) -> pb2.PortalSession:
        session_id = work.call.principal.session_id
        if session_id is None:
            raise Conflict("The token belongs to no session of the portal; it ends by itself.", code="no-session")
        return await self._end(work, session_id)

    async def end_session(self, request: pb2.EndSessionRequest, work: UnitOfWork) -> pb2.PortalSession:
        return await self._end(work, request.id)

    async def list_sessions(self, request: pb2.ListSessionsRequest, session: Session) -> pb2.ListSessionsResponse:
        listing = Listing.of(request, pb2.PortalSession.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return pb2.ListSessionsResponse(**listing.answer([_message(row) for row in rows], total))

    async def check_session(self, request: pb2.CheckSessionRequest, work: UnitOfWork) -> pb2.SessionCheck:
        found = await store.get(work, request.id)
        if found is None or not rules.goes_on(found, work.now):
            return pb2.SessionCheck(active=False)
        if rules.is_to_be_noted(found, work.now):
            if not await self._is_contact_as_far_as_known(work, found):
                await store.end(work, request.id)
                return pb2.SessionCheck(active=False)
            minutes = (await self._settings.workspace(work.call.workspace_id)).value.settings.portal.idle_minutes
            await store.note_use(work, request.id, idle_until=work.now + timedelta(minutes=minutes))
        return pb2.SessionCheck(active=True)

    async def _end(self, work: UnitOfWork, session_id: str) -> pb2.PortalSession:
        row = await store.end(work, session_id)
        if row is None:
            raise NotFound(f"There is no session {session_id}.")
        return _session(row, work)

    async def _is_contact(self, work: UnitOfWork, row: store.Row) -> bool:
        """Whether it is still an active contact of the client. Raises Unavailable."""
        return await self._ops.contact(work.call, row["client_id"], contact_id=row["contact_id"]) is not None

    async def _is_contact_as_far_as_known(self, work: UnitOfWork, row: store.Row) -> bool:
        try:
            return await self._is_contact(work, row)
        except Problem:
            # Ops is away: then there is nothing to see either. It is asked again with the next request.
            return True


def _refused() -> Unauthenticated:
    """The same for every flaw, so that nobody learns which tokens there are."""
    return Unauthenticated("The token is not valid: unknown, expired, revoked or used.", code="token-refused")


def _session(row: store.Row, work: UnitOfWork) -> pb2.PortalSession:
    return _message({**row, "status": rules.status_of(row, work.now)})
