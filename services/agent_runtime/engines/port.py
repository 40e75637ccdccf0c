"""What an engine is to the rest of the service: it offers reasoners and runs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.agent_runtime.reasoners.reasoner import Reasoner

Json = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One run of a reasoner, on behalf of an execution of a workspace."""

    workspace_id: str
    execution_id: str
    reasoner: Reasoner
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


class Engine(Protocol):
    """Its `reasoners` by their full names. `slots`: how many tasks it runs at a time; `workers` and `busy`: how many
    processes answer now, and how many of them are at work."""

    name: str
    version: str
    reasoners: Mapping[str, Reasoner]

    @property
    def slots(self) -> int: ...

    @property
    def workers(self) -> int: ...

    @property
    def busy(self) -> int: ...

    async def serve(self) -> None:
        """What it does beside running tasks, until cancelled. By the time it returns, nothing of it runs any more."""

    async def run(self, task: Task) -> Outcome:
        """Run a task. Cancelled, it has really been stopped by the time this returns."""
        ...
