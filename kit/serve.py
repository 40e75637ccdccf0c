"""From settings to a serving process and back to nothing, gracefully.

Start: logs, tracing, database, live settings, handlers checked against the contract, gRPC with health, relay,
consumers, loops. SIGTERM: not ready any more, go on serving for `drain_seconds`, then refuse new calls, let those in
flight finish, stop what runs in the background, close the pools.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import asyncpg
import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kit import contract, faults, live_settings, logs, metrics, schema_version
from kit.announcements import Announcements
from kit.backlog import OUTBOX, Backlog
from kit.bearer_tokens import BearerTokenIssuer
from kit.calls import Services
from kit.consumer import Consumer
from kit.contract import ContractError
from kit.database import Database
from kit.identity import TokenSigner, TokenVerifier
from kit.live_settings import LiveSettings, SettingsUnknownError
from kit.observability import recorded
from kit.outbox import OutboxHandlers
from kit.platform_client import PlatformClient
from kit.relay import Relay, Retention
from kit.rpc import Handler, RpcServer, bind
from kit.sealing import Seal
from kit.secrets import TOPIC as SECRETS_TOPIC
from kit.secrets import SecretReader
from kit.settings import ServiceSettings
from kit.signatures import SignatureCheck
from kit.wiring import Foundation, Wire, Wiring

_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)
_CONNECT_TRIES = 30
# How long another service may take to answer.
_CALL_SECONDS = 30.0

log = logs.get_logger(__name__)


# Where the live settings come from; every service but the platform service itself asks that one.
SettingsSource = Callable[[Database], live_settings.Fetch]


def run(service: str, settings: ServiceSettings, wire: Wire, *, settings_source: SettingsSource | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `service` is the name on the wire (`agent-runtime`). Ends with exit code 1 and one
    sentence when it cannot start."""
    logs.configure(service, level=settings.log_level, as_json=settings.logs_as_json)
    faults.arm(settings.crash_at)
    endpoint, sample_ratio = settings.otel_exporter_otlp_endpoint, settings.trace_sample_ratio
    try:
        with recorded(service, endpoint=endpoint, sample_ratio=sample_ratio):
            uvloop.run(_Process(service, settings, wire, settings_source).run())
    except (ContractError, SettingsUnknownError, OSError, asyncpg.PostgresError, ValueError) as error:
        log.error("cannot start", reason=str(error))
        sys.exit(1)


class _Process:
    def __init__(
        self, service: str, settings: ServiceSettings, wire: Wire, settings_source: SettingsSource | None
    ) -> None:
        self._service = service
        self._settings = settings
        self._wire = wire
        self._settings_source = settings_source
        self._health = health.aio.HealthServicer()

    async def run(self) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        settings = self._settings
        verifier = TokenVerifier.from_file(self._service, settings.internal_trust_file)
        signer = TokenSigner.from_file(self._service, settings.internal_key_file)
        database = await _patiently(
            lambda: Database.connect(settings.database_url, size=settings.database_pool_size), stopping
        )
        if database is None:
            return
        if not await schema_version.wait_for(self._service, settings.database_relay_url, stopping):
            await database.close()
            return
        services = Services(settings.addresses, signer, timeout=_CALL_SECONDS)
        client = PlatformClient(services, self._service)
        announcements = Announcements(
            bootstrap_servers=settings.kafka_bootstrap_servers, client_id=f"{self._service}-announcements"
        )
        live = LiveSettings(
            self._settings_source(database) if self._settings_source else client.fetch_settings,
            announcements,
            database=database,
        )
        secrets = SecretReader(client.fetch_secret, announcements)
        announcements.listen(live_settings.TOPIC, live.hear)
        announcements.listen(SECRETS_TOPIC, secrets.hear)
        await live.load_saved(settings.database_relay_url)
        background = [asyncio.create_task(work()) for work in (announcements.run, live.run)]
        await live.start(stopping)
        relay = self._relay(live)
        foundation = Foundation(
            service=self._service,
            database=database,
            relay_url=settings.database_relay_url,
            settings=live,
            secrets=secrets,
            services=services,
            tokens=BearerTokenIssuer.from_file(
                self._service, settings.internal_key_file, audience=settings.jwt_audience
            ),
            on_commit=relay.wake,
        )
        wiring = self._wire(foundation)
        rpc_server = RpcServer(
            self._service,
            database=database,
            verifier=verifier,
            fingerprint_keys=signer.derived_keys("idempotency fingerprints"),
            seal=Seal(*signer.derived_keys("idempotency answers")),
            signatures=SignatureCheck(
                lambda key: secrets.get(None, key),
                required=settings.environment == "production",
                of_workspace=secrets.get,
            ),
            webhooks=wiring.webhooks,
            on_commit=relay.wake,
        )
        server = await self._start_server(rpc_server, wiring.handlers)
        loops = (relay.run, *self._consumers(foundation, wiring), *wiring.loops, *self._backlogs(wiring))
        background += [asyncio.create_task(work()) for work in loops]
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        # What is built by now lives for ever: the garbage collector need not look through it again and again.
        gc.freeze()
        log.info("serving", address=settings.grpc_listen)
        await _until(stopping, background)
        await self._drain(server, rpc_server)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await services.close()
        await database.close()
        log.info("stopped")

    def _relay(self, live: LiveSettings) -> Relay:
        async def retention() -> Retention:
            days = (await live.platform()).value.settings.retention
            return Retention(
                outbox=days.published_event_days,
                idempotency=days.idempotency_key_days,
                inbox=days.consumed_event_days,
            )

        return Relay(
            service=self._service,
            database_url=self._settings.database_relay_url,
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            retention=retention,
        )

    def _consumers(self, foundation: Foundation, wiring: Wiring) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [
            Consumer(
                subscription,
                service=self._service,
                database=foundation.database,
                bootstrap_servers=self._settings.kafka_bootstrap_servers,
                session_timeout=self._settings.kafka_session_timeout_seconds,
                wait_milliseconds=self._settings.kafka_fetch_wait_milliseconds,
                on_commit=foundation.on_commit,
            ).run
            for subscription in wiring.subscriptions
        ]

    def _backlogs(self, wiring: Wiring) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        if not metrics.enabled():
            return []
        url = self._settings.database_relay_url
        outbox = Backlog(url, OUTBOX, ("pending", "failed"), metrics.OUTBOX_EVENTS, metrics.OUTBOX_AGE)
        jobs = [Backlog(url, *each, metrics.JOBS, metrics.JOBS_AGE) for each in wiring.backlogs.items()]
        return [each.run for each in (outbox, *jobs)]

    async def _start_server(self, rpc_server: RpcServer, own: Mapping[str, Handler]) -> grpc.aio.Server:
        shared = [rpc for rpc in contract.owned_by(self._service) if rpc.owner == contract.EVERY_SERVICE]
        handlers = {**own, **bind(shared, OutboxHandlers(self._service))}
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers(rpc_server.generic_handlers(handlers))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        if self._settings.grpc_reflection:
            names = {rpc.descriptor.containing_service.full_name for rpc in contract.owned_by(self._service)}
            reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        if server.add_insecure_port(self._settings.grpc_listen) == 0:
            raise OSError(f"cannot listen on {self._settings.grpc_listen}")
        await server.start()
        return server

    async def _set_health(self, status: int) -> None:
        await self._health.set("", status)

    async def _drain(self, server: grpc.aio.Server, rpc_server: RpcServer) -> None:
        log.info("stopping", in_flight=rpc_server.in_flight)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await asyncio.sleep(self._settings.drain_seconds)
        await server.stop(self._settings.grace_seconds)
        # grpc.aio's stop does not wait for handlers that set an error status (grpc/grpc#37239).
        for _ in range(int(self._settings.grace_seconds * 20)):
            if not rpc_server.in_flight:
                break
            await asyncio.sleep(0.05)


async def _patiently(connect: Callable[[], Coroutine[Any, Any, Database]], stopping: asyncio.Event) -> Database | None:
    """Try again while the database is starting up; give up with its error after a minute. None: asked to stop."""
    for attempt in range(_CONNECT_TRIES):
        if stopping.is_set():
            return None
        try:
            return await connect()
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            if attempt + 1 == _CONNECT_TRIES:
                raise
            log.warning("waiting for the database", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(2)
    return None


async def _until(stopping: asyncio.Event, background: Sequence["asyncio.Task[None]"]) -> None:
    """Until asked to stop, or until background work that should never end has ended: then its error is raised."""
    asked = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([asked, *background], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for task in done - {asked}:
        task.result()
