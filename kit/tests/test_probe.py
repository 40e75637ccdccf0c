"""What a container's health check says of a program."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from kit.probe import trouble

Status = health_pb2.HealthCheckResponse


@pytest.fixture
def servicer() -> health.HealthServicer:
    return health.HealthServicer()


@pytest.fixture
def address(servicer: health.HealthServicer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_service_is_well_while_it_serves(address: str, servicer: health.HealthServicer) -> None:
    servicer.set("", Status.SERVING)
    assert trouble(address) == ""
    servicer.set("", Status.NOT_SERVING)
    assert trouble(address) == f"{address}: NOT_SERVING"


def test_what_cannot_be_reached_is_not_well() -> None:
    assert trouble("127.0.0.1:1") == "127.0.0.1:1: UNAVAILABLE"
    assert "refused" in trouble("http://127.0.0.1:1/health")


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (503, False)])
def test_the_gateway_is_well_when_it_says_so(status: int, is_well: bool) -> None:
    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert (trouble(f"http://127.0.0.1:{server.server_port}/health") == "") is is_well
        thread.join()
