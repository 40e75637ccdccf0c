"""Calls to a service of two replicas, one of which stops."""

import asyncio
import time
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import contract, ids
from kit.calls import Passport, ServiceCall, Services
from kit.identity import Principal, TokenSigner
from opsfield.ops.v1 import tickets_pb2

_RPC = next(rpc for rpc in contract.owned_by("ops") if rpc.name == "GetTicket")
_PASSPORT = Passport(Principal("user-1", workspace_id="demo"), "c-1")
_SIGNER = TokenSigner("gateway", Ed25519PrivateKey.generate())
# What waits in a stopping server is dropped in some 4 of 10 rounds; in the others gRPC itself asks elsewhere.
_ROUNDS = 15


async def _replica(answered: set[str]) -> tuple[grpc.aio.Server, str]:
    """The server and its address, which `answered` gets with each call."""

    async def behave(_: bytes, __: Any) -> bytes:
        answered.add(address)
        return b""

    server = grpc.aio.server()
    method: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(behave)
    service = _RPC.descriptor.containing_service.full_name
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {_RPC.name: method})])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    return server, address


async def test_what_a_stopping_replica_did_not_take_up_the_other_answers() -> None:
    for _ in range(_ROUNDS):
        answered: set[str] = set()
        (first, one), (second, two) = await _replica(answered), await _replica(answered)
        services = Services({"ops": f"ipv4:{one},{two}"}, _SIGNER, timeout=10)
        call = ServiceCall(services, "ops", _RPC)
        request = tickets_pb2.GetTicketRequest(id=ids.new_id())
        try:
            while answered != {one, two}:
                await call(request, _PASSPORT)
            asked = [asyncio.create_task(call(request, _PASSPORT)) for _ in range(40)]
            await asyncio.sleep(0)
            time.sleep(0.05)  # noqa: ASYNC251 - the calls arrive while the servers' loop takes nothing up
            await first.stop(5)
            await asyncio.gather(*asked)
        finally:
            await services.close()
            await first.stop(None)
            await second.stop(None)
