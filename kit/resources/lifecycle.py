"""The life of a resource as one table: which state may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import IllegalTransition


@dataclass(frozen=True)
class Lifecycle:
    """`initial` is where a resource begins; `moves` maps each state to those that may follow it."""

    noun: str
    initial: frozenset[str]
    moves: Mapping[str, frozenset[str]]

    def check(self, before: str | None, after: str) -> None:
        """Raises IllegalTransition, naming the legal states, unless `after` may follow `before` (None: creation).
        Staying in a state is always legal."""
        if before == after:
            return
        legal = self.initial if before is None else self.moves[before]
        if after not in legal:
            move = f"{with_article(self.noun)} cannot go from {before} to"
            where = f"A new {self.noun} cannot be" if before is None else move
            options = ", ".join(sorted(legal)) if legal else "nothing, it is final"
            raise IllegalTransition(f"{where} {after}; legal: {options}.")


def with_article(noun: str) -> str:
    """`An invoice`, `A quote`: how a sentence about one of them begins."""
    return f"{'An' if noun[0] in 'aeiou' else 'A'} {noun}"


def states(text: str) -> frozenset[str]:
    """`states("open in_progress")`: a set of states, for writing tables."""
    return frozenset(text.split())
