"""Invites an approver of the demo workspace: the first contact of the client whose quote has waited longest."""

from typing import Any

from google.protobuf.message import Message

from kit import contract
from kit.call import Call
from kit.calls import Passport, ServiceCall, Services
from kit.database import Database
from kit.identity import Principal
from kit.unit_of_work import unit_of_work
from opsfield.common.v1 import page_pb2
from opsfield.ops.v1.contacts_pb2 import Contact, ListContactsRequest
from opsfield.ops.v1.portal_quotes_pb2 import ListPortalQuotesRequest, PortalQuote
from opsfield.portal.v1.invites_pb2 import APPROVER, CreateInviteRequest, ListInvitesRequest, NewInvite
from services.portal.invites.handlers import InviteHandlers
from services.portal.ops_client import OpsClient

SERVICE = "portal"
WORKSPACE = "demo"
_SECONDS = 10.0


async def load(database: Database, services: Services, workspace_id: str = WORKSPACE) -> NewInvite | None:
    """The invite with its token; None when somebody has been invited before, or nobody can be."""
    principal = Principal("demo", workspace_id=workspace_id, service=SERVICE)
    call = Call("/demo", principal, correlation_id="demo-portal", idempotency_key="demo-portal")
    handlers = InviteHandlers(OpsClient(services))
    async with database.read(call) as session:
        if (await handlers.list_invites(ListInvitesRequest(limit=1), session)).page.total:
            return None
    contact = await _contact(services, call)
    if contact is None:
        return None
    request = CreateInviteRequest(client_id=contact.client_id, email=contact.email, role=APPROVER, valid_hours=720)
    async with unit_of_work(database, call, service=SERVICE) as work:
        return await handlers.create_invite(request, work)


async def _contact(services: Services, call: Call) -> Contact | None:
    waiting = ListPortalQuotesRequest(status=PortalQuote.SENT, sort_by="sentAt", sort_order=page_pb2.ASC, limit=1)
    for quote in (await _ask(services, "ListPortalQuotes", waiting, call)).data:
        people = ListContactsRequest(client_id=quote.client_id, status=Contact.ACTIVE, is_primary=True, limit=1)
        for contact in (await _ask(services, "ListContacts", people, call)).data:
            if contact.email:
                found: Contact = contact
                return found
    return None


async def _ask(services: Services, name: str, request: Message, call: Call) -> Any:
    rpc = contract.by_name("ops")[name]
    passport = Passport(call.principal, call.correlation_id)
    return (await ServiceCall(services, "ops", rpc, timeout=_SECONDS)(request, passport)).message
