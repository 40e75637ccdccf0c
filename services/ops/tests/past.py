"""A caller at any time: its calls are handled in this process, with the clock set."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from kit import clock, ids
from kit.call import Call
from kit.database import Database
from kit.live_settings import DefaultSettings
from kit.unit_of_work import unit_of_work
from services.ops.tests.client import RPCS, Ops
from services.ops.wiring import handlers

_HANDLERS = handlers(DefaultSettings())


@dataclass(frozen=True)
class OpsAt(Ops):
    """As `Ops`, but without the way there: access and limits are not checked, keys and If-Match do nothing."""

    database: Database | None = None
    time: datetime | None = None

    @classmethod
    def like(cls, ops: Ops, database: Database) -> "OpsAt":
        """The same caller."""
        return cls(ops.channel, ops.signer, ops.service, ops.principal, database=database)

    def at(self, time: datetime) -> "OpsAt":
        """The same caller, at that time."""
        return replace(self, time=time)

    async def call(self, name: str, request: Message, *, key: str | None = None, **metadata: str | None) -> Any:
        """Call an rpc by its name. Raises the problem it answers."""
        assert self.database is not None
        assert self.time is not None
        rpc = RPCS[name]
        call = Call(rpc.path, self.principal, ids.new_id())
        with clock.at(self.time):
            if not rpc.mutates:
                async with self.database.read(call) as session:
                    return await _HANDLERS[rpc.path](request, session)
            async with unit_of_work(self.database, call, service="ops") as work:
                return await _HANDLERS[rpc.path](request, work)
