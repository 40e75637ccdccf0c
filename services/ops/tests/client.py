"""A caller of the ops service over gRPC, with the identity that the gateway would give it."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

import opsfield.ops.v1
from kit import contract
from kit.identity import Principal, TokenSigner
from opsfield.ops.v1 import clients_pb2, ticket_comments_pb2, tickets_pb2
from opsfield.ops.v1.assets_pb2 import Asset
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.tickets_pb2 import Ticket
from tests.callers import ENGINEER, Caller

RPCS = contract.by_name("ops")
# The requests of all kinds, by the name of their message.
REQUESTS: Mapping[str, Any] = {
    name: value
    for module in pkgutil.iter_modules(opsfield.ops.v1.__path__, "opsfield.ops.v1.")
    for name, value in vars(importlib.import_module(module.name)).items()
}


class Ops(Caller):
    """With what is asked of ops."""

    @classmethod
    def connect(cls, address: str, signer: TokenSigner) -> "Ops":
        return cls(grpc.aio.insecure_channel(address), signer, "ops", Principal("ada", ENGINEER))

    async def close(self) -> None:
        await self.channel.close()

    async def create(self, resource: Any, **call: Any) -> Any:
        """Create a resource from the fields that are set in the message."""
        kind = type(resource).__name__
        request = REQUESTS[f"Create{kind}Request"](**{contract.snake_case(kind): resource})
        return await self.call(f"Create{kind}", request, **call)

    async def page(self, kind: str, **query: Any) -> Any:
        """A page of a kind, named as in its rpc: `Sites`."""
        return await self.call(f"List{kind}", REQUESTS[f"List{kind}Request"](**query))

    async def create_client(self, name: str = "Acme", **fields: Any) -> Client:
        request = clients_pb2.CreateClientRequest(client=Client(name=name, **fields))
        client: Client = await self.call("CreateClient", request)
        return client

    async def create_asset(self, client: Client, name: str = "srv-01", **fields: Any) -> Asset:
        asset: Asset = await self.create(Asset(name=name, client_id=client.id, **fields))
        return asset

    async def create_ticket(self, client: Client, subject: str = "Printer", **fields: Any) -> Ticket:
        request = tickets_pb2.CreateTicketRequest(ticket=Ticket(subject=subject, client_id=client.id, **fields))
        ticket: Ticket = await self.call("CreateTicket", request)
        return ticket

    async def act(self, verb: str, resource: Any, *, call: Mapping[str, str] | None = None, **fields: Any) -> Any:
        """Call the action of a resource that is named so: `issue`."""
        return await self.do(f"{verb.capitalize()}{type(resource).__name__}", resource, call=call, **fields)

    async def do(self, name: str, resource: Any, *, call: Mapping[str, str] | None = None, **fields: Any) -> Any:
        """Call an rpc on the resource: `do("MergeTicket", ticket, reason="…")`."""
        return await self.call(name, REQUESTS[f"{name}Request"](id=resource.id, **fields), **(call or {}))

    async def get(self, resource: Any) -> Any:
        """The resource as it is now."""
        kind = type(resource).__name__
        return await self.call(f"Get{kind}", REQUESTS[f"Get{kind}Request"](id=resource.id))

    async def replace(self, resource: Any, **call: Any) -> Any:
        """Write the whole resource."""
        kind = type(resource).__name__
        request = REQUESTS[f"Replace{kind}Request"](id=resource.id, **{contract.snake_case(kind): resource})
        return await self.call(f"Replace{kind}", request, **call)

    async def patch(self, resource: Any, *cleared: str, call: Mapping[str, str] | None = None, **fields: Any) -> Any:
        """Set the fields that are given, clear those that are named."""
        kind = type(resource).__name__
        request = REQUESTS[f"Update{kind}Request"](
            id=resource.id,
            update_mask=FieldMask(paths=[*fields, *cleared]),
            **{contract.snake_case(kind): type(resource)(**fields)},
        )
        return await self.call(f"Update{kind}", request, **(call or {}))

    async def delete(self, resource: Any, **call: Any) -> None:
        kind = type(resource).__name__
        await self.call(f"Delete{kind}", REQUESTS[f"Delete{kind}Request"](id=resource.id), **call)

    async def list_tickets(self, **query: Any) -> tickets_pb2.ListTicketsResponse:
        answer: tickets_pb2.ListTicketsResponse = await self.call(
            "ListTickets", tickets_pb2.ListTicketsRequest(**query)
        )
        return answer

    async def list_clients(self, **query: Any) -> clients_pb2.ListClientsResponse:
        answer: clients_pb2.ListClientsResponse = await self.call(
            "ListClients", clients_pb2.ListClientsRequest(**query)
        )
        return answer

    async def comment(self, ticket: Ticket, body: str = "Hello.", **fields: Any) -> Any:
        """Comment on the ticket."""
        comment = ticket_comments_pb2.TicketComment(body=body, **fields)
        request = ticket_comments_pb2.CreateTicketCommentRequest(ticket_id=ticket.id, comment=comment)
        return await self.call("CreateTicketComment", request)

    async def subjects(self, **query: Any) -> list[str]:
        """The subjects of the tickets that are listed, in their order."""
        return [ticket.subject for ticket in (await self.list_tickets(**query)).data]

    async def resolve(self, ticket: Ticket, resolution: str = "Fixed it.", **call: Any) -> Any:
        request = tickets_pb2.ResolveTicketRequest(id=ticket.id, resolution=resolution)
        return await self.call("ResolveTicket", request, **call)

    async def escalate(self, ticket: Ticket, reason: str = "It burns.", **call: Any) -> Any:
        request = tickets_pb2.EscalateTicketRequest(id=ticket.id, reason=reason)
        return await self.call("EscalateTicket", request, **call)
