"""What an engine is to the rest of the service: it offers reasoners and runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from kit.database import Session
from services.agent_runtime.reasoners.reasoner import Description

Json = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One try of a reasoner, on behalf of an execution of a workspace. `lease` names the try: another try of the same
    attempt has another."""

    workspace_id: str
    execution_id: str
    attempt: int
    lease: str
    reasoner: Description
    input: Json
    correlation_id: str
    traceparent: str | None


@dataclass(frozen=True)
class Succeeded:
    """`proposals`: each with `action` (a lower-case word), `parameters` and `summary`."""

    output: Json
    evidence: Json
    proposals: tuple[Json, ...]


@dataclass(frozen=True)
class Failed:
    """`code`: a lower-case word of the workflow's Execution.FailureCode; `detail`: a sentence. `passes`: whether it may
    go better another time; `counts`: whether it was a try at all, which it was not when nothing was begun."""

    code: str
    detail: str
    passes: bool = False
    counts: bool = True


@dataclass(frozen=True)
class Recorded:
    """What came of it is recorded already, by whoever was told of it."""


Ending = Succeeded | Failed
Outcome = Ending | Recorded


@dataclass(frozen=True)
class Agent:
    """Agents as the registry shows them. `reachable`: whether it would begin now what it is asked for."""

    name: str
    engine: str
    version: str
    reachable: bool
    reasoners: Sequence[Description]
    last_heard_at: datetime | None = None
    created_at: datetime | None = None


class Engine(Protocol):
    """`slots`: how many tasks it runs at a time; `workers` and `busy`: of whatever runs them, how many answer now, and
    how many of them are at work."""

    name: str
    version: str
    # Whether each workspace has agents of its own: then how many runs an agent may have is counted in each.
    is_per_workspace: bool

    @property
    def slots(self) -> int: ...

    @property
    def workers(self) -> int: ...

    @property
    def busy(self) -> int: ...

    def has(self, agent: str) -> bool:
        """Whether an agent of that name, in any workspace, is this engine's. Answers at once, from memory."""
        ...

    def hindrance(self, workspace_id: str, agent: str) -> str | None:
        """Why nothing of that agent can be begun there now, in a sentence; None: it can. What waits for it goes on
        waiting, and no try is counted. Answers at once, from memory."""
        ...

    async def find(self, workspace_id: str, agent: str, reasoner: str) -> Description | None:
        """The reasoner, as it is for that workspace. Raises Unavailable when that cannot be told now."""
        ...

    async def agents(self, workspace_id: str) -> Sequence[Agent]:
        """All that the workspace may use. Raises Unavailable."""
        ...

    async def serve(self) -> None:
        """What it does beside running tasks, until cancelled. By the time it returns, nothing of it runs any more."""

    async def run(self, task: Task) -> Outcome:
        """Run a task. Cancelled, it has really been stopped by the time this returns, or will be by itself. Raises
        TimeoutError when whatever runs it says that it took longer than it may."""
        ...


@runtime_checkable
class Resuming(Protocol):
    """An engine whose tasks go on elsewhere when the replica that began them is gone."""

    async def goes_on(self, session: Session, lease: str) -> bool:
        """Whether what was begun under that lease goes on and will be told of."""
        ...

    async def resume(self, task: Task) -> Outcome:
        """As `run`, of a task that goes on."""
        ...
