"""A caller of services over gRPC, with the identity that the gateway would give it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, TypeAlias

import asyncpg
import grpc
import jwt
import pytest
from google.protobuf.message import Message

from kit import contract
from kit.errors import Problem, from_rpc_error
from kit.identity import Principal, TokenSigner
from opsfield.ops.v1.clients_pb2 import Client, CreateClientRequest
from opsfield.ops.v1.contacts_pb2 import Contact, CreateContactRequest
from opsfield.portal.v1.invites_pb2 import CreateInviteRequest, NewInvite
from opsfield.portal.v1.sessions_pb2 import ExchangeSessionRequest, NewSession

STAFF = frozenset({"ops_engineer", "billing"})
Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Caller:
    """Calls `service` as `principal`."""

    channel: grpc.aio.Channel
    signer: TokenSigner
    service: str
    principal: Principal

    def as_(self, principal: Principal) -> "Caller":
        return replace(self, principal=principal)

    async def call(self, name: str, request: Message, *, key: str | None = None, signature: str | None = None) -> Any:
        """Call an rpc by its name, under a new idempotency key unless one is given; `signature` is that of its raw
        body. Raises the problem it answers."""
        rpc = contract.by_name(self.service)[name]
        headers = {
            "authorization": f"Bearer {self.signer.sign(self.principal, self.service)}",
            "idempotency-key": key or uuid.uuid4().hex,
            "x-correlation-id": uuid.uuid4().hex,
            **({"x-signature": signature} if signature is not None else {}),
        }
        method: Any = self.channel.unary_unary(
            rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=rpc.response_class.FromString,
        )
        try:
            return await method(request, metadata=tuple(headers.items()), timeout=20)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.service) from error


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


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """The first answer that is true."""
    deadline = monotonic() + seconds
    while not (found := await look()):
        assert monotonic() < deadline, "it never came"
        await asyncio.sleep(0.1)
    return found


@asynccontextmanager
async def refused(status: int, code: str | None = None, *, path: str | None = None) -> AsyncIterator[None]:
    """The block must end in a problem of this HTTP status, code and place of its first error."""
    with pytest.raises(Problem) as problem:
        yield
    assert problem.value.status == status, problem.value.detail
    if code is not None:
        assert problem.value.code == code
    if path is not None:
        assert [error.path for error in problem.value.errors] == [path]
