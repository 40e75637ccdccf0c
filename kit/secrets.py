"""The secrets of a service: fetched from the platform service when needed, kept in memory alone.

    webhook = await secrets.get(None, "github.webhook")
    webhook.value, webhook.previous

A service gets only what belongs to it (services/platform/secrets/keys.py), and each fetch is recorded there.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kit.announcements import Announcements
from kit.call import PLATFORM_WORKSPACE
from kit.copies import Copies
from kit.events import ReceivedEvent
from opsfield.platform.v1.secrets_pb2 import FetchSecretResponse

TOPIC = "internal.secrets.changed"
# Also how often a use is recorded, for one that is always in use.
_REFETCH_SECONDS = 300.0

Fetch = Callable[[str, str], Awaitable[FetchSecretResponse]]
"""By workspace and key."""


@dataclass(frozen=True)
class Secret:
    """`previous` is the version before, for a day after its successor was set: signatures made with it still hold."""

    value: str = field(repr=False)
    previous: str | None = field(repr=False)
    version: int


class SecretReader:
    """A new version is used within 2 s; while the platform service is down, the one at hand."""

    def __init__(self, fetch: Fetch, announcements: Announcements) -> None:
        self._fetch = fetch
        self._copies = Copies(self._fetch_secret, announcements, refetch_after=_REFETCH_SECONDS)

    async def get(self, workspace_id: str | None, key: str) -> Secret:
        """A secret of a workspace, or of the platform (None). Raises NotFound when it was never set, Forbidden when it
        belongs to another service, Unavailable when the platform service is down and it was not used lately."""
        return (await self._copies.get((workspace_id or PLATFORM_WORKSPACE, key))).value

    def hear(self, event: ReceivedEvent) -> None:
        """Listener of `internal.secrets.changed`."""
        self._copies.announce((event.workspace_id, event.data["key"]), int(event.data["version"]))

    async def _fetch_secret(self, name: tuple[str, str]) -> Secret:
        response = await self._fetch(*name)
        previous = response.previous_value if response.HasField("previous_value") else None
        return Secret(response.value, previous, response.version)
