"""Solved tickets that are like one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.agent_runtime.reasoners.text import Corpus, likeness, shared, terms

Row = dict[str, Any]

# The same client has the same devices and the same habits.
_SAME_CLIENT = 1.25
# Below that, what is shared is chance.
LEAST = 0.2
MOST = 8


@dataclass(frozen=True)
class Similar:
    """`likeness` is the cosine of the two texts, `weight` that times what the same client adds, at most 1; `shared`
    are the terms they have in common."""

    ticket: Row
    likeness: float
    weight: float
    shared: list[str]
    same_client: bool


def similar_to(ticket: Row, solved: Sequence[Row]) -> list[Similar]:
    """The solved tickets that are most like `ticket`, itself not among them; the most alike first."""
    others = [each for each in solved if each["id"] != ticket["id"]]
    corpus = Corpus.of([_terms(each) for each in others])
    wanted = corpus.vector(_terms(ticket))
    found = []
    for each, vector in zip(others, corpus.vectors, strict=True):
        alike = likeness(wanted, vector)
        same_client = each["clientId"] == ticket["clientId"]
        weight = min(1.0, alike * _SAME_CLIENT) if same_client else alike
        if weight >= LEAST:
            found.append(Similar(each, alike, weight, shared(wanted, vector), same_client))
    return sorted(found, key=lambda one: (-one.weight, str(one.ticket["id"])))[:MOST]


def _terms(ticket: Row) -> list[str]:
    # The subject says it in short: it counts twice.
    return [*terms(ticket["subject"]) * 2, *terms(ticket["description"])]
