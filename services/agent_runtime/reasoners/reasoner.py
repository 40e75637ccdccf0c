"""What a reasoner is: what it reads, what it makes of that, and what it proposes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class ProposedAction:
    """A change that somebody may agree to. `action`: a word of workflow.v1 Proposal.Action, in lower case:
    "create_ticket", "update_ticket", "comment_ticket", "link_runbook", "create_incident", "create_invoice",
    "link_alert". `parameters` are as described there; `summary` says in a sentence what it would do and why."""

    action: str
    parameters: dict[str, Any]
    summary: str


@dataclass(frozen=True)
class Result:
    """`output` keeps to the reasoner's schema; `evidence` holds the rows and rules that it rests on. Both are JSON."""

    output: dict[str, Any]
    evidence: dict[str, Any]
    proposals: tuple[ProposedAction, ...] = ()


class OpsReader(Protocol):
    """Reads what ops has, as its HTTP API answers. At most 20 calls and 2,000 rows per execution."""

    async def get(self, kind: str, resource_id: str) -> dict[str, Any]:
        """One resource of a kind ("tickets"). Raises kit.errors.NotFound."""

    async def list(self, kind: str, *, limit: int = 200, **filters: Any) -> list[dict[str, Any]]:
        """The first `limit` resources of a kind, at most 200. `filters` are the query parameters of the list's route,
        among them `offset`, `sortBy`, `sortOrder` and `q`."""


@dataclass(frozen=True)
class Reasoner:
    """`gather` reads, in the service, and gives what `reason` needs beside the input: JSON, with `now`. `reason` is
    pure, and runs in a worker."""

    agent: str
    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    timeout_seconds: int
    most_tries: int
    gather: Callable[[OpsReader, dict[str, Any]], Awaitable[dict[str, Any]]] | None
    reason: Callable[[dict[str, Any], dict[str, Any]], Result]

    @property
    def full_name(self) -> str:
        return f"{self.agent}.{self.name}"
