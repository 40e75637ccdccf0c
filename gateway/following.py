"""`Prefer: wait=N` (RFC 7240, 4.3): of what only begins with a request, the answer waits for the end, if it is near."""

import asyncio
from contextlib import suppress
from typing import Any

from kit.calls import Invoke, Passport, Reply
from kit.contract import ContractError, Rpc
from kit.errors import Problem

MOST_SECONDS = 60
# How long to wait before looks, in seconds: short work is seen at once, long work costs little.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class Following:
    """Reads how it goes on with what `rpc` has begun. `read`: how the rpc that its policy names is asked; `stopping`:
    set once nobody shall be kept waiting."""

    def __init__(self, rpc: Rpc, followed: Rpc | None, read: Invoke, stopping: asyncio.Event) -> None:
        """Raises ContractError when what it is followed by cannot tell when it has ended."""
        if followed is None:
            raise ContractError(f"{rpc.path} is followed by what there is not: {rpc.policy.followed_by}")
        begun, read_by = rpc.descriptor.output_type, followed.descriptor
        if read_by.output_type is not begun or not {"id", "is_final"} <= set(begun.fields_by_name):
            raise ContractError(f"{rpc.path} and {followed.path} must answer the same message, with id and is_final")
        if [each.name for each in read_by.input_type.fields] != ["id"]:
            raise ContractError(f"{followed.path} must be asked by id alone")
        self._request_class = followed.request_class
        self._read = read
        self._stopping = stopping
        [self.place] = {route.path.removesuffix("/{id}") for route in followed.routes}

    async def until_final(self, reply: Reply, passport: Passport, seconds: int) -> Reply:
        """The latest that is known after at most so many seconds. What cannot be read meanwhile is waited for."""
        message: Any = reply.message
        request = self._request_class(id=message.id)
        reading = Passport(passport.principal, passport.correlation_id, traceparent=passport.traceparent)
        clock = asyncio.get_running_loop().time
        give_up_at, pause = clock() + seconds, _FIRST_PAUSE
        while not message.is_final and await self._goes_on(min(pause, give_up_at - clock())):
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            try:
                message = (await self._read(request, reading)).message
            except Problem:
                continue
        return Reply(message, reply.replayed)

    async def _goes_on(self, seconds: float) -> bool:
        """Whether to look again, after a pause of so many seconds."""
        if seconds <= 0:
            return False
        # Not asyncio.wait_for, as in kit/calls.py.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return not self._stopping.is_set()
