"""What the telemetry service answers and listens to."""

from collections.abc import Mapping

from kit.rpc import Handler

NAME = "telemetry"


def handlers() -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path. None yet beside the outbox that every service serves."""
    return {}
