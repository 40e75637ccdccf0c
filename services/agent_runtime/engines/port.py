"""What an engine is to the rest of the service: it offers reasoners and runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
    go better another time."""

    code: str
    detail: str
    passes: bool = False


Outcome = Succeeded | Failed


@dataclass(frozen=True)
class Agent:
    """Agents as the registry shows them. `reachable`: whether it would begin now what it is asked for."""

    name: str
    engine: str
    version: str
    reachable: bool
    reasoners: Sequence[Description]


class Engine(Protocol):
    """`slots`: how many tasks it runs at a time; `workers` and `busy`: of whatever runs them, how many answer now, and
    how many of them are at work."""

    name: str
    version: str

    @property
    def slots(self) -> int: ...

    @property
    def workers(self) -> int: ...

    @property
    def busy(self) -> int: ...

    def has(self, agent: str) -> bool:
        """Whether an agent of that name, in any workspace, is this engine's. Answers at once, from memory."""
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
