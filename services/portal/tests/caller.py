"""Whoever calls the portal: the provider's staff, and people of its clients."""

import uuid
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import jwt

from kit.identity import Principal
from opsfield.ops.v1.clients_pb2 import Client, CreateClientRequest
from opsfield.ops.v1.contacts_pb2 import Contact, CreateContactRequest
from opsfield.portal.v1.invites_pb2 import CreateInviteRequest, NewInvite
from opsfield.portal.v1.sessions_pb2 import ExchangeSessionRequest, NewSession
from tests.callers import Caller

STAFF = frozenset({"ops_engineer", "billing"})
Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Provider:
    """The provider's staff in a workspace: at the portal, and at ops."""

    portal: Caller
    ops: Caller

    async def contact(self, client_id: str | None = None, **fields: Any) -> Contact:
        """A new contact, of a new client unless one is named."""
        name = f"Kim {uuid.uuid4().hex[:8]}"
        if client_id is None:
            client: Client = await self.ops.call(
                "CreateClient", CreateClientRequest(client=Client(name=name, currency="EUR"))
            )
            client_id = client.id
        contact = Contact(**{"client_id": client_id, "name": name, "email": f"{name[4:]}@example.com", **fields})
        found: Contact = await self.ops.call("CreateContact", CreateContactRequest(contact=contact))
        return found

    async def invite(self, contact: Contact, **fields: Any) -> NewInvite:
        request = CreateInviteRequest(client_id=contact.client_id, email=contact.email, **fields)
        invite: NewInvite = await self.portal.call("CreateInvite", request)
        return invite

    async def exchange(self, token: str, **call: Any) -> NewSession:
        """As somebody whom nobody knows."""
        stranger = self.portal.as_(Principal("anonymous"))
        session: NewSession = await stranger.call("ExchangeSession", ExchangeSessionRequest(token=token), **call)
        return session

    async def person(self, contact: Contact | None = None, **invite: Any) -> Caller:
        """Somebody of a client who has come in by an invite, at the portal."""
        contact = contact or await self.contact()
        session = await self.exchange((await self.invite(contact, **invite)).token)
        return self.portal.as_(principal_of(session.access_token))


def principal_of(token: str) -> Principal:
    """Whom a gateway takes the bearer of the token for."""
    claims = jwt.decode(token, options={"verify_signature": False})
    [workspace] = claims["workspaces"]
    return Principal(
        claims["sub"],
        frozenset(claims["roles"]),
        workspace,
        client_id=claims["clientId"],
        session_id=claims["sid"],
    )
