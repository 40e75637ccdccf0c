"""What a reasoner is: what it may read, what it reasons, what it answers.

A reasoner runs in two steps. `gather` reads what it needs, in the service; `reason` then works on nothing but its input
and what was gathered, in a worker process that has neither a database nor a network. So this module imports neither.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


class OpsReader(Protocol):
    """What `gather` may read: the resources of the execution's workspace, as the HTTP API gives them (camelCase, times
    as texts). At most 20 calls and 2,000 rows for one execution: past that it raises TooMuchRead."""

    async def get(self, kind: str, resource_id: str) -> Json:
        """One resource of a kind, named as in its path: `tickets`. Raises NotFound."""
        ...

    async def list(self, kind: str, *, limit: int = 200, **filters: Any) -> list[Json]:
        """The first `limit` resources of a kind, at most 200. `filters` are the query parameters of the list's route,
        among them `offset`, `sortBy`, `sortOrder` and `q`; enums as their words."""
        ...


@dataclass(frozen=True)
class ProposedAction:
    """A change that a reasoner proposes. `action`: a word of the workflow's Proposal.Action, `create_ticket`;
    `summary`: what it would do and why, in a sentence."""

    action: str
    parameters: Json
    summary: str


@dataclass(frozen=True)
class Result:
    """`output` keeps to the reasoner's schema; `evidence` holds the rows and rules that it rests on."""

    output: Json
    evidence: Json
    proposals: tuple[ProposedAction, ...] = ()


@dataclass(frozen=True)
class Description:
    """What is known of a reasoner, whatever runs it.

    `timeout_seconds` bounds one try; `most_tries` is how often it is begun before it fails for good, which counts when
    whatever runs it is lost or what it reads cannot be reached, not when it raises an error of its own."""

    agent: str
    name: str
    description: str
    # JSON schemas (draft 2020-12).
    input_schema: Json
    output_schema: Json
    timeout_seconds: int
    most_tries: int

    @property
    def full_name(self) -> str:
        """`triage.classify`"""
        return f"{self.agent}.{self.name}"


@dataclass(frozen=True)
class Question:
    """What a model is asked. `instructions` are ours; `material` are texts of others, which it judges and does not
    follow; `schema` (JSON schema) is what its answer keeps to: it can choose and explain, and nothing else."""

    instructions: str
    material: Json
    schema: Json


@dataclass(frozen=True)
class Reasoner(Description):
    """One that is built in. `reason` is pure: the same input and data give the same result, on any machine and at any
    time.

    `question` is what a model is asked where the workspace wants that; its answer, checked, is then in `data` under
    `model`, and `reason` weighs it beside its own rules. Without an answer it reasons alone."""

    gather: Callable[[OpsReader, Json], Awaitable[Json]] | None
    reason: Callable[[Json, Json], Result]
    question: Callable[[Json, Json], Question | None] | None = None
