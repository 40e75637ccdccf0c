"""The whole platform, or a part of it, started in order and stopped in reverse. Tests use it as a context manager:

async with Stack(tmp_path, services=("ops", "platform")) as stack:
    httpx.get(stack.base_url + "/health")
    await stack.kill("ops")
    await stack.start("ops")
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from devstack import databases, environment, health, keys, tokens
from devstack.broker import Kind, new_broker
from devstack.layout import (
    GATEWAY,
    KAFKA,
    OPS,
    PORTAL,
    POSTGRES,
    SERVICES,
    Layout,
    StackError,
    instances,
    program_of,
)
from devstack.lock import take_lock
from devstack.ports import free_ports, given_port
from devstack.postgres import Postgres
from devstack.settings import DevstackSettings
from devstack.supervisor import Child, describe_end, together
from devstack.watching import Watches
from kit.settings import read

READY_SECONDS = 60.0


class Stack:
    """Postgres, Kafka, services and gateway over one data folder. Everything listens by the time it is entered."""

    def __init__(
        self,
        data_dir: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        demo: bool = False,
        services: Sequence[str] = SERVICES,
        gateway: bool = True,
        extra_env: Mapping[str, Mapping[str, str]] | None = None,
        broker: Kind | None = None,
        replicas: int = 1,
        restart: bool = False,
        report: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`port` 0 takes a free one; `extra_env` is by program; `broker` None is what KAFKA in the environment says;
        of `replicas` of each program the second one is `ops/2`; `restart` starts again what ends by itself; `report` is
        told each step in one line."""
        self.layout = Layout(data_dir)
        self.host = host
        self.services = tuple(services)
        self.kafka_bootstrap = ""
        self._port = port
        self._demo = demo
        self._gateway = gateway
        self._extra = {name: dict(variables) for name, variables in (extra_env or {}).items()}
        self._broker = broker or read(DevstackSettings).kafka
        self._replicas = replicas
        self._restart = restart
        self._report = report
        self._lock: IO[str] | None = None
        self._preparing = asyncio.Lock()
        self._ports: dict[str, int] = {}
        self._children: dict[str, Child] = {}
        self._watches = Watches(self._child, self._start, report)

    async def __aenter__(self) -> Self:
        try:
            await self._start_all()
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop_all()

    @property
    def base_url(self) -> str:
        """Where the gateway answers, without a trailing slash."""
        return self.gateway_url(GATEWAY)

    def gateway_url(self, instance: str) -> str:
        """The same of one of its replicas."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not listened on  # nosec B104
        return f"http://{host}:{self._ports[instance]}"

    @property
    def admin_url(self) -> str:
        """The database superuser's URL."""
        return self._postgres.admin_url

    @property
    def database_address(self) -> str:
        """`host:port` of the database server."""
        return f"{environment.HOST}:{self._ports[POSTGRES]}"

    def database_url(self, service: str, role: Literal["owner", "app", "relay"] = "app") -> str:
        """The URL of a service's database as one of its roles."""
        return self._postgres.url(service, role)

    def address(self, service: str) -> str:
        """`host:port` of the gRPC server of a service or of one of its replicas, whether it runs or not."""
        return f"{environment.HOST}:{self._ports[service]}"

    def _addresses(self) -> dict[str, str]:
        """How each service is found, with all its replicas (gRPC's `ipv4:` scheme)."""
        found = {name: [self.address(each) for each in instances(name, self._replicas)] for name in SERVICES}
        return {name: each[0] if len(each) == 1 else f"ipv4:{','.join(each)}" for name, each in found.items()}

    def environment(self, name: str) -> dict[str, str]:
        """The environment that a service or the gateway is started with."""
        program = program_of(name)
        if program == GATEWAY:
            variables = environment.of_gateway(self.layout, self.host, self._ports[name], self._addresses())
        else:
            variables = environment.of_service(
                program,
                self.layout,
                self.address(name),
                self._addresses(),
                self.database_url(program, "app"),
                self.database_url(program, "relay"),
                {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap, **self._kafka.of_clients},
            )
        return {**variables, **self._extra.get(program, {}), **self._extra.get(name, {})}

    def pid(self, name: str) -> int:
        """The process id of a program (`postgres` and `kafka` are names too)."""
        return self._child(name).pid

    def running(self, name: str) -> bool:
        """Whether a program's process is there now."""
        return name in self._children and self._children[name].running

    def token(
        self,
        roles: Sequence[str] = ("ops_engineer",),
        workspaces: Sequence[str] | Literal["*"] = ("demo",),
        *,
        client: str | None = None,
        agent: str | None = None,
        subject: str | None = None,
        ttl: int = tokens.HALF_A_DAY,
    ) -> str:
        """A bearer token that this stack's gateway takes."""
        secret = tokens.read_secret(self.layout)
        return tokens.issue(secret, roles, workspaces, client=client, agent=agent, subject=subject, ttl=ttl)

    async def start(self, name: str, extra_env: Mapping[str, str] | None = None) -> None:
        """Start a program that is not running, and return once it is ready.

        `extra_env` replaces what was given for it before. Raises StackError when it ends or does not become ready.
        """
        if extra_env is not None:
            self._extra[name] = dict(extra_env)
        await self._watches.end(name)
        try:
            await self._start(name)
        finally:
            if self._restart:
                self._watches.begin(name)

    async def stop(self, name: str) -> int | None:
        """Let a program end in order; its exit code, or None when it was never started."""
        await self._watches.end(name)
        return await self._children[name].stop() if name in self._children else None

    async def kill(self, name: str, with_signal: signal.Signals = signal.SIGKILL) -> int:
        """End a program with a signal, at once; its exit code."""
        await self._watches.end(name)
        return await self._child(name).kill(with_signal)

    async def wait(self, name: str) -> int:
        """Wait until a program ends by itself; its exit code."""
        return await self._child(name).wait()

    def kill_everything(self) -> None:
        """End all programs at once, without waiting. What was answered as done is safe in the databases."""
        self._watches.cancel()
        for child in self._children.values():
            if child.running:
                os.killpg(child.pid, signal.SIGKILL)

    # Start-up, in order

    async def _start_all(self) -> None:
        self.layout.create()
        self._demo &= not self.layout.demo_is_loaded.exists()
        self._lock = take_lock(self.layout)
        self._take_ports()
        keys.ensure_secrets(self.layout)
        for log in self.layout.logs.glob("*.log"):
            log.replace(log.with_suffix(".log.previous"))
        self._postgres = Postgres(self.layout, self._ports[POSTGRES])
        self._kafka = new_broker(self._broker, self.layout.data, self.layout.log(KAFKA))
        self._children |= {POSTGRES: self._postgres.child, KAFKA: self._kafka.child}
        gateways = instances(GATEWAY, self._replicas) if self._gateway else []
        await together(self._start_services(), *(self.start(name) for name in gateways))
        if self._demo:
            if PORTAL in self.services:
                # What it loads it asks ops about.
                await self._load_demo(PORTAL)
            self.layout.demo_is_loaded.touch()

    async def _start_services(self) -> None:
        self._report("starting PostgreSQL and Kafka")
        await together(self.start(POSTGRES), self.start(KAFKA))
        demo = ", loading the demo workspace" if self._demo else ""
        self._report(f"preparing {len(self.services)} databases, starting {', '.join(self._services())}{demo}")
        await together(*(self._prepare_and_start(service) for service in self.services))

    async def _prepare_and_start(self, service: str) -> None:
        # Alembic has one migration in hand at a time.
        async with self._preparing:
            await self.prepare_database(service)
        # The demo workspace of ops goes into its database by itself, meanwhile.
        demo = [self._load_demo(OPS)] if self._demo and service == OPS else []
        await together(*(self.start(each) for each in instances(service, self._replicas)), *demo)

    def _take_ports(self) -> None:
        services = [each for name in SERVICES for each in instances(name, self._replicas)]
        self._ports = free_ports(environment.HOST, (POSTGRES, *services, *instances(GATEWAY, self._replicas)))
        if self._port:
            self._ports[GATEWAY] = given_port(self.host, self._port)

    def _services(self) -> list[str]:
        """The services that are started, with their replicas."""
        return [each for name in self.services for each in instances(name, self._replicas)]

    async def prepare_database(self, service: str) -> None:
        """Make a service's database, and bring it to the newest schema."""
        await databases.prepare(service, self._postgres)

    async def _load_demo(self, service: str) -> None:
        command = [sys.executable, "-m", f"services.{service}.demo"]
        demo = Child("demo", command, self.environment(service), self.layout.log("demo"))
        self._children["demo"] = demo
        await demo.start()
        if code := await demo.wait():
            raise StackError(f"The demo workspace was not loaded: it {describe_end(code)}.\n{demo.last_words()}")

    # One program

    def _child(self, name: str) -> Child:
        if name not in self._children:
            raise StackError(f"{name} was not started.")
        return self._children[name]

    async def _start(self, name: str) -> None:
        if name == POSTGRES:
            await self._postgres.start()
        elif name == KAFKA:
            await self._start_kafka()
        else:
            program = program_of(name)
            child = Child(
                name, environment.command(program), self.environment(name), self.layout.log(name), stop_seconds=45.0
            )
            if self.running(name):
                raise StackError(f"{name} is running already, as process {self.pid(name)}.")
            self._children[name] = child
            await child.start()
            if program == GATEWAY:
                await health.wait_for_gateway(child, self.gateway_url(name), READY_SECONDS)
            else:
                await health.wait_for_service(child, self.address(name), READY_SECONDS)

    async def _start_kafka(self) -> None:
        before = self.kafka_bootstrap
        await self._kafka.start()
        self.kafka_bootstrap = self._kafka.bootstrap
        if self.kafka_bootstrap == before:
            return
        # The embedded broker chooses its port anew each time, and a program learns it when it starts.
        stale = [name for name in self._services() if self.running(name)]
        for name in stale:
            await self.stop(name)
        await together(*(self.start(name) for name in stale))

    # Shut-down, in reverse order

    async def _stop_all(self) -> None:
        for names in (("demo", *instances(GATEWAY, self._replicas)), self._services(), (KAFKA,), (POSTGRES,)):
            running = [name for name in names if self.running(name)]
            if running:
                self._report(f"stopping {', '.join(running)}")
            await asyncio.gather(*(self.stop(name) for name in names))
        if self._lock is not None:
            self._lock.close()
