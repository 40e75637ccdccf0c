"""Asks a program of the platform whether it serves, for the health checks of a container.

    python -m kit.probe 127.0.0.1:7000                      a service, by the standard gRPC health protocol
    python -m kit.probe http://127.0.0.1:8080/health        the gateway

Ends with exit code 0 if it does, else with 1 and the reason.
"""

import sys
from urllib.error import URLError
from urllib.request import urlopen

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

_SECONDS = 3.0


def trouble(address: str) -> str:
    """Why what listens at `address` does not serve; empty if it does."""
    return _of_http(address) if address.startswith("http://") else _of_grpc(address)


def _of_http(url: str) -> str:
    try:
        with urlopen(url, timeout=_SECONDS):  # noqa: S310 - http, as checked  # nosec B310
            return ""
    except (URLError, OSError) as error:
        return f"{url}: {error}"


def _of_grpc(address: str) -> str:
    with grpc.insecure_channel(address) as channel:
        check: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            status = check(HealthCheckRequest(), timeout=_SECONDS).status
        except grpc.RpcError as error:
            return f"{address}: {error.code().name}"
    serving = status == HealthCheckResponse.SERVING
    return "" if serving else f"{address}: {HealthCheckResponse.ServingStatus.Name(status)}"


def main() -> int:
    """The exit code."""
    if reason := trouble(sys.argv[1]):
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
