"""How a path finds its handler."""

import pytest

from gateway.exchange import Handler, Request, Response
from gateway.router import MethodRefused, Router
from kit.errors import NotFound


def handler() -> Handler:
    async def handle(_request: Request) -> Response:
        return Response(200, b"", [])

    return handle


def test_a_path_finds_its_handler_and_parameters() -> None:
    router, wanted = Router(), handler()
    router.add("GET", "/api/v1/tickets/{id}", wanted)
    assert router.find("GET", "/api/v1/tickets/7") == (wanted, {"id": "7"})


def test_an_exact_segment_wins_over_a_parameter() -> None:
    router, exact, parameter = Router(), handler(), handler()
    router.add("GET", "/tickets/{id}", parameter)
    router.add("GET", "/tickets/summary", exact)
    assert router.find("GET", "/tickets/summary")[0] is exact
    assert router.find("GET", "/tickets/other")[0] is parameter


def test_a_dead_end_below_an_exact_segment_leads_back_to_the_parameter() -> None:
    router, deeper = Router(), handler()
    router.add("GET", "/a/b", handler())
    router.add("GET", "/a/{x}/c", deeper)
    assert router.find("GET", "/a/b/c") == (deeper, {"x": "b"})


def test_a_segment_may_hold_several_parameters() -> None:
    router, run, plain = Router(), handler(), handler()
    router.add("POST", "/execute/{agent}.{reasoner}", run)
    router.add("POST", "/execute/{name}", plain)
    assert router.find("POST", "/execute/triage.classify") == (run, {"agent": "triage", "reasoner": "classify"})
    assert router.find("POST", "/execute/a.b.c") == (run, {"agent": "a", "reasoner": "b.c"})
    assert router.find("POST", "/execute/triage") == (plain, {"name": "triage"})
    assert router.find("POST", "/execute/.x")[0] is plain


def test_a_literal_in_a_segment_is_taken_literally() -> None:
    router = Router()
    router.add("POST", "/jobs/{id}:cancel", handler())
    assert router.find("POST", "/jobs/1:cancel")[1] == {"id": "1"}
    with pytest.raises(NotFound):
        router.find("POST", "/jobs/1")


def test_parameters_of_one_place_may_be_named_differently_per_method() -> None:
    router, get, put = Router(), handler(), handler()
    router.add("GET", "/secrets/{key}", get)
    router.add("PUT", "/secrets/{name}", put)
    assert router.find("GET", "/secrets/a") == (get, {"key": "a"})
    assert router.find("PUT", "/secrets/a") == (put, {"name": "a"})


@pytest.mark.parametrize(
    "path", ["", "/", "/tickets/", "/tickets//", "/Tickets", "/tickets/1/2", "//tickets", "tickets", "*"]
)
def test_what_is_no_route_is_not_found(path: str) -> None:
    router = Router()
    router.add("GET", "/tickets", handler())
    router.add("GET", "/tickets/{id}", handler())
    with pytest.raises(NotFound):
        router.find("GET", path)


def test_another_method_is_refused_with_those_that_are_offered() -> None:
    router = Router()
    router.add("POST", "/tickets", handler())
    router.add("GET", "/tickets", handler())
    with pytest.raises(MethodRefused) as refused:
        router.find("DELETE", "/tickets")
    assert refused.value.headers == [(b"allow", b"GET, POST")]


@pytest.mark.parametrize("template", ["tickets", "/{Id}", "/{a}/{a}", "/{a", "/tickets"])
def test_a_template_that_cannot_be_served_stops_the_start(template: str) -> None:
    router = Router()
    router.add("GET", "/tickets", handler())
    with pytest.raises(ValueError, match=r"template|handlers"):
        router.add("GET", template, handler())
