"""`python -m gateway`: serve until SIGTERM, then finish the requests in flight and close the connections."""

import gc
import signal
import socket
import sys

import uvicorn

from gateway import app
from gateway.connections import BoundedProtocol
from gateway.settings import Settings
from kit import logs
from kit import settings as kit_settings
from kit.contract import ContractError
from kit.observability import recorded

_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 1024

log = logs.get_logger("gateway")


class _Server(uvicorn.Server):
    """Lets those go at once who only wait, when it is asked to stop: others may need all the time there is."""

    def __init__(self, gateway: app.Gateway, settings: Settings) -> None:
        super().__init__(_config(gateway, settings))
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.hurry()
        await super().shutdown(sockets)


def main() -> int:
    """The exit code: 0 after a stop that was asked for, 1 when the gateway cannot start, 2 for settings it refuses."""
    settings = kit_settings.read(Settings)
    logs.configure("gateway", level=settings.log_level, as_json=settings.logs_as_json)
    endpoint, sample_ratio = settings.otel_exporter_otlp_endpoint, settings.trace_sample_ratio
    with recorded("gateway", endpoint=endpoint, sample_ratio=sample_ratio):
        return _serve(settings)


def _serve(settings: Settings) -> int:
    try:
        gateway = app.create(settings)
        listener = _listen(settings.opsfield_host, settings.opsfield_port)
    except (ContractError, OSError, ValueError) as error:
        log.error("cannot start", reason=str(error))
        return 1
    server = _Server(gateway, settings)
    # uvicorn raises the signal again once it has stopped; that is no reason to die of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    # What is built by now lives for ever: the garbage collector need not look through it again and again.
    gc.freeze()
    log.info("serving", host=settings.opsfield_host, port=listener.getsockname()[1])
    server.run([listener])
    log.info("stopped")
    return 0 if server.started else 1


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _config(gateway: app.Gateway, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        gateway,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(each) for each in settings.trusted_proxies],
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.grace_seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
