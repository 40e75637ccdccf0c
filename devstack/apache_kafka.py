"""Apache Kafka in KRaft mode as one child process, from a class path that Maven resolves. It keeps what it holds
over a restart, and its port while its stack lives."""

import asyncio
import base64
import fcntl
import os
import shutil
import subprocess
import uuid
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from devstack.layout import KAFKA, REPOSITORY, StackError
from devstack.ports import free_ports
from devstack.supervisor import Child

HOST = "127.0.0.1"
START_SECONDS = 60.0
_POM = REPOSITORY / "devstack" / "apache_kafka.pom.xml"
_BUILD_CLASS_PATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
# One small broker that starts fast, on a machine that has other work.
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "num.partitions": "4",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Tests let the members of a group count as dead sooner.
    "group.min.session.timeout.ms": "1000",
    "log.index.size.max.bytes": "1048576",
    "controlled.shutdown.enable": "false",
    # After a crash it is taken back once the session of the one that crashed is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}


class ApacheKafka:
    """The broker of one data folder."""

    def __init__(self, folder: Path, log: Path) -> None:
        """`folder` is its own and is made. Raises StackError without Java and Maven."""
        self._folder = folder
        self._log = log
        self._ports = free_ports(HOST, ("broker", "controller"))
        self._properties = folder / "server.properties"
        self.bootstrap = f"{HOST}:{self._ports['broker']}"
        self.of_clients = dict[str, str]()
        self.child = Child(KAFKA, _java("kafka.Kafka", str(self._properties)), dict(os.environ), log, stop_seconds=15.0)

    async def start(self) -> None:
        """Start the broker and return once it answers. Raises StackError when it does not get there."""
        self._write_properties()
        if not (self._folder / "data" / "meta.properties").exists():
            await self._format()
        await self.child.start()
        try:
            async with asyncio.timeout(START_SECONDS):
                while self.child.running and not await _listens(self._ports["broker"]):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            await self.child.kill()
        if not self.child.running:
            raise StackError(f"Kafka did not start; the end of its log:\n{self.child.last_words()}")

    def _write_properties(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        controller = f"{HOST}:{self._ports['controller']}"
        settings = {
            **_SETTINGS,
            "listeners": f"BROKER://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"BROKER://{self.bootstrap}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._folder / "data"),
        }
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    async def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = _java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={self._properties}")
        formatting = Child("kafka-format", command, dict(os.environ), self._log)
        await formatting.start()
        if await formatting.wait():
            raise StackError(f"Kafka's storage could not be made:\n{formatting.last_words()}")


def is_available() -> bool:
    """Whether Java and Maven are on this machine."""
    return all(shutil.which(name) for name in ("java", "mvn"))


def _java(main: str, *arguments: str) -> list[str]:
    if not is_available():
        raise StackError("Apache Kafka needs Java (17 or newer) and Maven; without KAFKA=apache neither is needed.")
    return [str(shutil.which("java")), *_JVM, "-cp", _class_path(), main, *arguments]


@cache
def _class_path() -> str:
    """The jars, which Maven fetches when they are not there: for one process at a time, or they spoil each other's."""
    with NamedTemporaryFile("r") as file, _POM.open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        command = ["mvn", "-q", "-B", "-f", str(_POM), _BUILD_CLASS_PATH, f"-Dmdep.outputFile={file.name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"Maven could not resolve Apache Kafka:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return file.read().strip()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
