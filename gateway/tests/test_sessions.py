"""Sessions of our own: whether they go on is asked, believed for a moment, and never assumed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import app
from gateway.sessions import Session, Sessions
from gateway.settings import Settings
from gateway.tests.clock import Clock
from gateway.tests.fake_service import FakeService
from kit.bearer_tokens import BearerTokenIssuer
from kit.calls import Services
from kit.errors import Unauthenticated, Unavailable
from kit.identity import TokenSigner
from opsfield.ops.v1.portal_summary_pb2 import PortalSummary
from opsfield.portal.v1.sessions_pb2 import CheckSessionRequest, NewSession, SessionCheck

SESSION = Session("portal", "acme", "0193a4a4-7d2b-7000-8000-000000000001")
EXCHANGE = "/api/v1/portal/session/exchange"


@pytest.fixture
def portal(services: dict[str, FakeService]) -> FakeService:
    """Every session goes on."""
    services["portal"].answers = {
        "CheckSession": lambda _: SessionCheck(active=True),
        "GetPortalSummary": lambda _: PortalSummary(),
        "ExchangeSession": lambda _: NewSession(),
    }
    return services["portal"]


@pytest_asyncio.fixture
async def sessions(portal: FakeService, gateway_key: Ed25519PrivateKey, clock: Clock) -> AsyncIterator[Sessions]:
    services = Services({"portal": portal.address}, TokenSigner("gateway", gateway_key), timeout=5)
    yield Sessions(services, clock)
    await services.close()


def asked(portal: FakeService) -> int:
    return sum(each.rpc == "CheckSession" for each in portal.received)


async def test_it_is_asked_as_a_gateway_in_the_sessions_workspace(portal: FakeService, sessions: Sessions) -> None:
    await sessions.check(SESSION)
    assert portal.last.request == CheckSessionRequest(id=SESSION.id)
    assert (portal.last.principal.service, portal.last.principal.workspace_id) == ("gateway", "acme")


async def test_an_answer_is_believed_for_two_seconds(portal: FakeService, sessions: Sessions, clock: Clock) -> None:
    for _ in range(3):
        await sessions.check(SESSION)
    assert asked(portal) == 1
    portal.answers["CheckSession"] = lambda _: SessionCheck(active=False)
    clock.now += 2
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refusal:
            await sessions.check(SESSION)
        assert refusal.value.code == "session-ended"
    assert asked(portal) == 2


async def test_many_requests_at_once_ask_once(portal: FakeService, sessions: Sessions) -> None:
    await asyncio.gather(*(sessions.check(SESSION) for _ in range(20)))
    await asyncio.gather(*(sessions.check(Session("portal", "other", SESSION.id)) for _ in range(20)))
    assert asked(portal) == 2


async def test_what_cannot_be_asked_is_not_assumed(portal: FakeService, sessions: Sessions, clock: Clock) -> None:
    def away(_: object) -> SessionCheck:
        raise Unavailable("away")

    await sessions.check(SESSION)
    portal.answers["CheckSession"] = away
    clock.now += 2
    for _ in range(2):
        with pytest.raises(Unavailable):
            await sessions.check(SESSION)
    portal.answers["CheckSession"] = lambda _: SessionCheck(active=True)
    await sessions.check(SESSION)


async def test_a_visitor_is_let_in_while_the_session_goes_on(
    http: httpx.AsyncClient, portal: FakeService, service_keys: dict[str, Ed25519PrivateKey], settings: Settings
) -> None:
    issuer = BearerTokenIssuer("portal", service_keys["portal"], audience=settings.jwt_audience)
    token, _ = issuer.issue(
        "contact:1",
        workspace_id="acme",
        role="client_portal",
        lifetime=timedelta(hours=1),
        client_id="0193a4a4-7d2b-7000-8000-000000000007",
        session_id=SESSION.id,
    )
    headers = {"authorization": f"Bearer {token}", "x-workspace-id": "acme"}
    assert (await http.get("/api/v1/portal/summary", headers=headers)).status_code == 200
    principal = portal.last.principal
    assert (principal.client_id, principal.session_id) == ("0193a4a4-7d2b-7000-8000-000000000007", SESSION.id)
    for path, status in (("/api/v1/tickets", 403), ("/api/v1/portal/invites", 403)):
        assert (await http.get(path, headers=headers)).status_code == status


async def test_another_gateway_takes_an_ended_sessions_token_no_more_than_the_first(
    portal: FakeService, service_keys: dict[str, Ed25519PrivateKey], settings: Settings
) -> None:
    issuer = BearerTokenIssuer("portal", service_keys["portal"], audience=settings.jwt_audience)
    token, _ = issuer.issue(
        "contact:1",
        workspace_id="acme",
        role="client_portal",
        lifetime=timedelta(hours=1),
        client_id="c-1",
        session_id=SESSION.id,
    )
    portal.answers["CheckSession"] = lambda _: SessionCheck(active=False)
    for _ in range(2):
        fresh = app.create(settings)
        transport = httpx.ASGITransport(app=fresh)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            headers = {"authorization": f"Bearer {token}", "x-workspace-id": "acme"}
            answer = await client.get("/api/v1/portal/summary", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "session-ended")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        await fresh.close()


async def test_one_address_tries_tokens_only_so_often(http: httpx.AsyncClient, portal: FakeService) -> None:
    for number in range(30):
        answer = await http.post(
            EXCHANGE, json={"token": f"acme.invite_{number}"}, headers={"idempotency-key": f"k{number}"}
        )
        assert answer.status_code == 201
    refused = await http.post(EXCHANGE, json={"token": "acme.invite_x"}, headers={"idempotency-key": "x"})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    assert int(refused.headers["retry-after"]) > 0
    assert len(portal.received) == 30
