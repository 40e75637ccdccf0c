"""The parts that work with nodes, together."""

from collections.abc import Callable

from kit.database import Database
from kit.outbound import Outbound
from services.agent_runtime.engines.remote import RemoteEngine
from services.agent_runtime.nodes.leaving import Leaving
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.nodes.presence import Presence


class Nodes:
    """`database_url` and `relay_url`: the service's database as its own role and as its relay's; `slots`: how many runs
    at a time; `internal`: whether agents may stand in private networks."""

    def __init__(
        self,
        database: Database,
        database_url: str,
        relay_url: str,
        limits: NodeLimits,
        *,
        slots: int,
        internal: bool,
        on_commit: Callable[[], None],
    ) -> None:
        self.limits = limits
        self.leaving = Leaving(limits, on_commit=on_commit)
        self.presence = Presence(database, relay_url, self.leaving, limits)
        self.outbound = Outbound(internal=internal)
        self.on_commit = on_commit
        self.engine = RemoteEngine(database_url, self.outbound, self.presence, slots=slots, limits=limits)
