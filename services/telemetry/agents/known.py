"""An agent as its batches and its silence are judged by."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class KnownAgent:
    """A row of `agents`, locked. `watched` counts its rows in `conditions`, `conditions` those of them that are raised;
    `asset_status` is what ops was last told."""

    id: str
    number: int
    hostname: str
    client_id: str
    site_id: str | None
    connectivity: str
    state: str
    last_seen_at: datetime | None
    watched: int
    conditions: int
    asset_status: str | None
    inventory_digest: bytes | None
