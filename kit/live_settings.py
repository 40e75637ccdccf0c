"""The settings that an administrator changes while the platform runs, as a service reads them.

    reopen_days = (await settings.workspace(workspace_id)).value.settings.service_desk.reopen_days

Reading costs no call (kit/copies.py). The last known copies are kept in the service's own database, so that a service
can start while the platform service is down.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

from kit import clock, logs
from kit.announcements import Announcements
from kit.call import PLATFORM_WORKSPACE
from kit.copies import Copies, Copy
from kit.database import Database, relay_connection, workspace_scope
from kit.errors import Problem
from kit.events import ReceivedEvent
from kit.setting_keys import with_defaults
from opsfield.platform.v1.settings_pb2 import FetchSettingsResponse, PlatformSettings, WorkspaceSettings

TOPIC = "internal.settings.changed"
_START_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
_SAVE = """
INSERT INTO settings_copies (workspace_id, version, settings, fetched_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id) DO UPDATE
SET version = excluded.version, settings = excluded.settings, fetched_at = excluded.fetched_at
WHERE settings_copies.version <= excluded.version
"""
_SAVED = "SELECT workspace_id, version, settings, fetched_at FROM settings_copies"

M = TypeVar("M", bound=Message)
Fetch = Callable[[str], Awaitable[FetchSettingsResponse]]
"""By workspace: what was set in it."""

log = logs.get_logger(__name__)


class SettingsUnknownError(Exception):
    """A service cannot start: it has no copy of the settings and cannot get one."""


@dataclass(frozen=True)
class Settings(Generic[M]):
    """One version of the settings; every setting has a value."""

    settings: M
    version: int


class SettingsReader(Protocol):
    """What handlers and loops need of the settings."""

    async def platform(self) -> Copy[Settings[PlatformSettings]]: ...

    async def workspace(self, workspace_id: str) -> Copy[Settings[WorkspaceSettings]]: ...


class LiveSettings:
    """`load_saved` first, then `run()` for ever; `start` waits until the platform's settings are known."""

    def __init__(self, fetch: Fetch, announcements: Announcements, *, database: Database) -> None:
        self._database = database
        self._unsaved: asyncio.Queue[tuple[str, FetchSettingsResponse]] = asyncio.Queue()
        self._fetch = fetch
        self._platform = Copies(self._fetch_platform, announcements)
        self._workspaces = Copies(self._fetch_workspace, announcements)

    async def platform(self) -> Copy[Settings[PlatformSettings]]:
        """Raises Unavailable when there is no copy and the platform service cannot be reached."""
        return await self._platform.get((PLATFORM_WORKSPACE, ""))

    async def workspace(self, workspace_id: str) -> Copy[Settings[WorkspaceSettings]]:
        """Raises Unavailable when there is no copy and the platform service cannot be reached."""
        return await self._workspaces.get((workspace_id, ""))

    def hear(self, event: ReceivedEvent) -> None:
        """Listener of `internal.settings.changed`."""
        name, version = (event.workspace_id, ""), int(event.data["version"])
        if event.workspace_id == PLATFORM_WORKSPACE:
            self._platform.announce(name, version)
        else:
            self._workspaces.announce(name, version)

    async def load_saved(self, relay_url: str) -> None:
        """Take up the copies that were saved by an earlier run; the relay's role sees those of all workspaces."""
        async with relay_connection(relay_url) as connection:
            for row in await connection.fetch(_SAVED):
                age = max(0.0, (clock.now() - row["fetched_at"]).total_seconds())
                response = FetchSettingsResponse.FromString(row["settings"])
                if row["workspace_id"] == PLATFORM_WORKSPACE:
                    self._platform.keep((PLATFORM_WORKSPACE, ""), _platform(response), age=age)
                else:
                    self._workspaces.keep((row["workspace_id"], ""), _workspace(response), age=age)

    async def start(self, stopping: asyncio.Event) -> None:
        """Wait for the platform's settings. Raises SettingsUnknownError after a minute without them."""
        give_up_at = asyncio.get_running_loop().time() + _START_SECONDS
        while not stopping.is_set():
            try:
                copy = await self.platform()
            except Problem as problem:
                if asyncio.get_running_loop().time() > give_up_at:
                    raise SettingsUnknownError(
                        "the platform's settings are not known: there is no copy of them here, and the platform "
                        f"service does not give them ({problem.detail})"
                    ) from problem
                log.warning("waiting for the platform service's settings", reason=problem.detail)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                if not copy.is_right:
                    log.warning(
                        "starting with the last known settings", version=copy.value.version, age_seconds=round(copy.age)
                    )
                return

    async def run(self) -> None:
        """Save what was fetched, for ever."""
        while True:
            workspace_id, response = await self._unsaved.get()
            try:
                await self._save(workspace_id, response)
            except Problem as problem:
                log.warning("settings not saved for the next start", workspace=workspace_id, reason=problem.detail)

    async def _fetch_platform(self, name: tuple[str, str]) -> Settings[PlatformSettings]:
        return _platform(await self._fetch_and_note(name[0]))

    async def _fetch_workspace(self, name: tuple[str, str]) -> Settings[WorkspaceSettings]:
        return _workspace(await self._fetch_and_note(name[0]))

    async def _fetch_and_note(self, workspace_id: str) -> FetchSettingsResponse:
        response = await self._fetch(workspace_id)
        # Saved by `run`: a reader may be inside a transaction and must not wait for a second connection.
        self._unsaved.put_nowait((workspace_id, response))
        return response

    async def _save(self, workspace_id: str, response: FetchSettingsResponse) -> None:
        values = (workspace_id, response.version, response.SerializeToString(), clock.now())
        async with self._database.transaction(f"BEGIN; {workspace_scope(workspace_id)}") as connection:
            await connection.execute(_SAVE, *values)


class DefaultSettings:
    """Settings that nobody has changed, for programs that have no platform service beside them."""

    async def platform(self) -> Copy[Settings[PlatformSettings]]:
        return _alone(Settings(with_defaults(PlatformSettings()), 0))

    async def workspace(self, workspace_id: str) -> Copy[Settings[WorkspaceSettings]]:
        del workspace_id
        return _alone(Settings(with_defaults(WorkspaceSettings()), 0))


def _alone(value: Settings[M]) -> Copy[Settings[M]]:
    return Copy(value, monotonic(), 0, Announcements(bootstrap_servers="", client_id=""))


def _platform(response: FetchSettingsResponse) -> Settings[PlatformSettings]:
    return Settings(with_defaults(response.platform), response.version)


def _workspace(response: FetchSettingsResponse) -> Settings[WorkspaceSettings]:
    return Settings(with_defaults(response.workspace), response.version)
