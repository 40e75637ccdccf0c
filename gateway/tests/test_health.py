"""What the gateway answers itself."""

import httpx
import pytest
from grpc_health.v1 import health_pb2

from gateway.tests.fake_service import FakeService
from kit.contract import SERVICES

Status = health_pb2.HealthCheckResponse


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
async def test_the_gateway_is_alive_without_its_services(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "version": "0.1.0", "services": []}


async def test_the_state_of_each_service_is_told_when_asked(
    http: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    for service in services.values():
        await service.health.set("", Status.SERVING)
    response = await http.get("/health?ready=1")
    assert response.json()["status"] == "ok"
    assert [each["service"] for each in response.json()["services"]] == sorted(SERVICES)
    await services["portal"].health.set("", Status.NOT_SERVING)
    body = (await http.get("/api/v1/health?ready=true")).json()
    assert body["status"] == "degraded"
    states = {each["service"]: each["status"] for each in body["services"]}
    assert states.pop("portal") == "not_serving"
    assert set(states.values()) == {"serving"}


@pytest.mark.parametrize("query", ["ready=yes", "ready=", "ready=1&ready=1", "redy=1"])
async def test_a_wrong_question_is_refused(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/health?{query}")).status_code == 422


async def test_the_documentation_page_stands_on_its_own(http: httpx.AsyncClient) -> None:
    root = await http.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/docs")
    page = await http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon-32x32.png"):
        assert (await http.get(f"/docs/{name}")).status_code == 200
    assert (await http.get("/docs/../settings.py")).status_code == 404
