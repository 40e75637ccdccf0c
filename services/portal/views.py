"""ViewService: each of its rpcs asks the one of ops that has its name, as the caller."""

from typing import Any

from google.protobuf.message import Message

from kit import contract
from kit.database import Session
from kit.rpc import Handler
from services.portal.ops_client import OpsClient


def handlers(service: str, ops: OpsClient) -> dict[str, Handler]:
    """By gRPC path."""
    return {
        rpc.path: _passed_on(rpc.name, ops)
        for rpc in contract.owned_by(service)
        if rpc.descriptor.containing_service.name == "ViewService"
    }


def _passed_on(name: str, ops: OpsClient) -> Handler:
    async def ask(request: Message, session: Session) -> Any:
        return await ops.read(name, request, session.call)

    return ask
