"""Every rpc of every service with every role, past the gateway: whoever reaches a service's port is checked there
again, by the same table. What is sent cannot be read, so that whoever is let in is told so and nothing is done."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from kit import contract
from kit.call import PLATFORM_WORKSPACE
from kit.contract import GATEWAY, SERVICES, Rpc
from kit.identity import Principal, TokenSigner
from tests.access_table import ROLES
from tests.e2e.test_access_matrix import allowed
from tests.platform import Platform

UNREADABLE = b"\xff"
OWN = "matrix-own"
LET_IN = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED
NOBODY = grpc.StatusCode.UNAUTHENTICATED
Call = Callable[[Rpc, str | None], grpc.StatusCode]


def rpcs(service: str) -> tuple[Rpc, ...]:
    found = contract.owned_by(service)
    assert found
    return found


def roles_of(rpc: Rpc) -> frozenset[str]:
    return allowed(rpc, rpc.routes[0]) if rpc.routes else rpc.roles


@pytest.fixture
def signer(platform: Platform) -> TokenSigner:
    return TokenSigner.from_file(GATEWAY, platform.stack.layout.key(GATEWAY))


@pytest.fixture
def call(platform: Platform, service: str) -> Iterator[Call]:
    """What a service says to a token, or to none."""
    with grpc.insecure_channel(platform.stack.address(service)) as channel:

        def send(rpc: Rpc, token: str | None) -> grpc.StatusCode:
            metadata = (("authorization", f"Bearer {token}"),) if token else ()
            ask: Any = channel.unary_unary(rpc.path)
            with pytest.raises(grpc.RpcError) as error:
                ask(UNREADABLE, timeout=60, metadata=metadata)
            code: grpc.StatusCode = error.value.code()
            return code

        yield send


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_lets_in_whom_the_contract_lets_in(
    call: Call, signer: TokenSigner, service: str, record_property: Callable[[str, object], None]
) -> None:
    wrong, asked = [], 0
    for rpc in rpcs(service):
        for role in ROLES:
            may = rpc.access in ("public", "signature") or role in roles_of(rpc)
            for workspace in (OWN, PLATFORM_WORKSPACE, None):
                principal = Principal("somebody", frozenset({role}), workspace_id=workspace)
                found = call(rpc, signer.sign(principal, service))
                asked += 1
                if found is not _expected(rpc, may, workspace):
                    wrong.append((rpc.path, role, workspace, found))
    assert wrong == []
    record_property("calls", asked)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_nobody_without_a_token_of_its_own(call: Call, signer: TokenSigner, service: str) -> None:
    principal = Principal("somebody", frozenset({"msp_admin"}), workspace_id=OWN)
    elsewhere = signer.sign(principal, next(each for each in SERVICES if each != service))
    wrong = []
    for rpc in rpcs(service):
        anonymous = LET_IN if rpc.access == "public" else NOBODY
        if anonymous is LET_IN and rpc.in_workspace and not rpc.credential:
            anonymous = DENIED
        found = (call(rpc, None), call(rpc, elsewhere), call(rpc, "a.b.c"))
        if found != (anonymous, NOBODY, NOBODY):
            wrong.append((rpc.path, found))
    assert wrong == []


def _expected(rpc: Rpc, may: bool, workspace: str | None) -> grpc.StatusCode:
    if not may:
        return DENIED
    if rpc.in_workspace and workspace == PLATFORM_WORKSPACE:
        return DENIED
    needs_workspace = rpc.in_workspace and not (rpc.credential or rpc.is_delivered)
    return DENIED if needs_workspace and workspace is None else LET_IN
