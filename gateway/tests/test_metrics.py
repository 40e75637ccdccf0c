"""What is measured of requests: by the route's template, never by what somebody wrote into the path."""

import httpx
import pytest

from kit.tests.measured import measured


def requests(**attributes: str) -> float:
    return max(0, measured("http.server.request.duration", **attributes))


@pytest.mark.usefixtures("services")
async def test_requests_are_counted_by_route_and_status(http: httpx.AsyncClient) -> None:
    route = {"http_route": "/api/v1/tickets/{id}", "http_request_method": "GET"}
    before, unauthenticated = requests(**route), requests(**route, http_response_status_code="401")
    for name in ("one", "two"):
        assert (await http.get(f"/api/v1/tickets/{name}", headers={"authorization": "Bearer no"})).status_code == 401
    assert requests(**route) == before + 2
    assert requests(**route, http_response_status_code="401") == unauthenticated + 2
    assert measured("http.server.active_requests") == 0


async def test_what_has_no_route_is_counted_as_one(http: httpx.AsyncClient) -> None:
    unknown = {"http_route": "", "http_response_status_code": "404"}
    before, other = requests(**unknown), requests(http_request_method="_OTHER")
    for path in ("/nothing", "/api/v1/nowhere"):
        assert (await http.get(path)).status_code == 404
    await http.request("BREW", "/coffee")
    assert requests(**unknown) == before + 3
    assert requests(http_request_method="_OTHER") == other + 1
