"""Every route with every role: in the caller's own workspace, in one that its token does not name, and in none; and
without a token. Who may is said by tests/access_table.py, for routes beyond the contract by their policy.

What changes something is sent without an idempotency key, or with a body that is none: who is let in is told 400 and
nothing is done."""

import http.client
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from kit import contract
from kit.contract import Route, Rpc
from opsfield.options.v1 import policy_pb2
from tests.access_table import PUBLIC, ROLES, table
from tests.platform import Platform

NO_ONE = "01890000-0000-7000-8000-000000000000"
OWN, FOREIGN = "matrix-own", "matrix-foreign"
ENTRANCES = {
    "role-missing": 403,
    "workspace-missing": 400,
    "workspace-not-allowed": 403,
    "unauthenticated": 401,
}
Ask = Callable[[Route, Mapping[str, str]], tuple[int, str]]


def routes() -> list[tuple[Rpc, Route]]:
    return [(rpc, route) for rpc in contract.load() for route in rpc.routes]


def without_names(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def allowed(rpc: Rpc, route: Route) -> frozenset[str]:
    return table().get((route.verb, without_names(route.path)), rpc.roles)


@pytest.fixture
def ask(platform: Platform) -> Iterator[Ask]:
    """Sends a request over one connection: its status, and the code of a problem."""
    connection = http.client.HTTPConnection(urlsplit(platform.stack.base_url).netloc, timeout=60)

    def send(route: Route, headers: Mapping[str, str]) -> tuple[int, str]:
        is_read = route.verb == "GET"
        body = None if is_read else b"{"
        more = {} if is_read else {"content-type": "application/json"}
        path = re.sub(r"\{[^}]*\}", NO_ONE, route.path)
        connection.request(route.verb, path, body, {**headers, **more})
        answer = connection.getresponse()
        text = answer.read()
        is_problem = answer.getheader("content-type") == "application/problem+json"
        return answer.status, json.loads(text)["code"] if is_problem else ""

    yield send
    connection.close()


@pytest.fixture(scope="module")
def tokens(platform: Platform) -> dict[str, str]:
    claims: dict[str, dict[str, Any]] = {"client_portal": {"client": NO_ONE}, "endpoint_agent": {"agent": NO_ONE}}
    return {role: platform.stack.token((role,), (OWN,), **claims.get(role, {})) for role in ROLES}


def test_the_protos_grant_what_the_contract_grants() -> None:
    served = {
        (route.verb, without_names(route.path)): rpc.roles if rpc.access == "roles" else PUBLIC
        for rpc, route in routes()
    }
    assert {key: served.get(key) for key in table()} == table()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_where_it_may_and_nowhere_else(
    ask: Ask, tokens: dict[str, str], role: str, record_property: Callable[[str, object], None]
) -> None:
    wrong, asked = [], 0
    for rpc, route in routes():
        roles = allowed(rpc, route)
        if not roles:
            continue
        for where, workspace in {"own": OWN, "foreign": FOREIGN, "missing": None}.items():
            headers = {"authorization": f"Bearer {tokens[role]}"}
            headers |= {"x-workspace-id": workspace} if workspace else {}
            found = ask(route, headers)
            asked += 1
            if not _is_right(found, _refusal(rpc, role in roles, where)):
                wrong.append((route.verb, route.path, where, found))
    assert wrong == []
    record_property("requests", asked)


def test_without_a_token_only_what_is_public_answers(ask: Ask) -> None:
    wrong = []
    for rpc, route in routes():
        found = ask(route, {"x-workspace-id": OWN})
        if allowed(rpc, route):
            is_right = found == (401, "unauthenticated")
        else:
            # What proves itself by a key, a signature or a token of its own is refused for that; a webhook whose
            # secret is not set takes nothing.
            is_closed = rpc.access == "signature" and found == (503, "webhook-secret-missing")
            is_own = rpc.access == "signature" or bool(rpc.credential)
            is_right = is_closed or (found[0] < 500 and (found[0] != 401 or is_own))
        if not is_right:
            wrong.append((route.verb, route.path, found))
    assert wrong == []


def _refusal(rpc: Rpc, may: bool, where: str) -> str | None:
    """The code that the entrance answers with; None: it lets in."""
    if not may:
        return "role-missing"
    if where == "own" or rpc.policy.tenancy == policy_pb2.NO_WORKSPACE:
        return None
    if where == "foreign":
        return "workspace-not-allowed"
    return None if rpc.policy.tenancy == policy_pb2.TOKEN_WORKSPACE else "workspace-missing"


def _is_right(found: tuple[int, str], refusal: str | None) -> bool:
    status, code = found
    if refusal:
        return found == (ENTRANCES[refusal], refusal)
    return status < 500 and code not in ENTRANCES
