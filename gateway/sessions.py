"""Sessions that bearer tokens of our own belong to: whether they go on, asked of the service that began them.

A token says until when it is good at most; its session may end before, and then no gateway takes it any longer. The
answer is believed for a little while, so that a page of ten requests asks once. Nothing is held that another gateway,
or this one after a restart, would have to be told. While the service cannot be asked, its tokens are not taken: nor
could it serve them.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kit import contract, ids, logs
from kit.bearer_tokens import SESSION_CHECKS
from kit.calls import Passport, ServiceCall, Services
from kit.contract import ContractError
from kit.errors import Unauthenticated
from kit.identity import Principal

_BELIEVED_FOR = 2.0
_SECONDS = 5.0
_MOST = 10_000


@dataclass(frozen=True)
class Session:
    """`service` has begun it, in a workspace."""

    service: str
    workspace_id: str
    id: str


class Sessions:
    """Asks at most every two seconds for each session; who asks meanwhile waits for the same answer. Raises
    ContractError when there is nobody to ask."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        rpcs = {rpc.path: rpc for rpc in contract.load()}
        if missing := set(SESSION_CHECKS.values()) - set(rpcs):
            raise ContractError(f"sessions are checked by what there is not: {', '.join(missing)}")
        self._checks = {
            service: (rpcs[path], ServiceCall(services, service, rpcs[path], timeout=_SECONDS))
            for service, path in SESSION_CHECKS.items()
        }
        self._clock = clock
        self._known: dict[Session, tuple[float, bool]] = {}
        self._asking: dict[Session, asyncio.Task[bool]] = {}

    async def check(self, session: Session) -> None:
        """Raises Unauthenticated when it has ended, Unavailable when the service cannot be asked."""
        known = self._known.get(session)
        if known is None or known[0] <= self._clock():
            goes_on = await asyncio.shield(self._ask_once(session))
        else:
            goes_on = known[1]
        if not goes_on:
            raise Unauthenticated("The session has ended.", code="session-ended")

    def _ask_once(self, session: Session) -> "asyncio.Task[bool]":
        if session not in self._asking:
            task = self._asking[session] = asyncio.create_task(self._ask(session))
            task.add_done_callback(lambda done: self._end(session, done))
        return self._asking[session]

    def _end(self, session: Session, done: "asyncio.Task[bool]") -> None:
        self._asking.pop(session, None)
        # Looking at the error also marks it as seen, should nobody be waiting for it.
        if not done.cancelled():
            done.exception()

    async def _ask(self, session: Session) -> bool:
        # From before the answer: what ends the session while it is on its way is seen in time.
        asked_at = self._clock()
        rpc, call = self._checks[session.service]
        request: Any = rpc.request_class(id=session.id)
        principal = Principal("service:gateway", workspace_id=session.workspace_id, service="gateway")
        answer: Any = (await call(request, Passport(principal, logs.correlation_id.get() or ids.new_id()))).message
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[session] = (asked_at + _BELIEVED_FOR, answer.active)
        return bool(answer.active)
