"""A profile: the mapping of a product's own export, and how its cells become ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

from services.integrations.imports.rules import Record, undefused, zoned

# Between the parts of an external id that is put together.
SEPARATOR = " / "


class CellProblemError(Exception):
    """What is wrong with a cell."""


@dataclass(frozen=True)
class Context:
    """`client`: the import's default for `clientId`; `zone`: of times that say none."""

    client: str | None = None
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Step:
    """One translation, of a row that has one of the columns it `reads`. `work` gets the row's cells and gives the new
    one of `column`, empty or a text; it raises CellProblemError."""

    column: str
    reads: tuple[str, ...]
    work: Callable[[Mapping[str, Any], Context], Any]


@dataclass(frozen=True)
class Profile:
    """`name`: `<product>.<export>`. `mapping`: columns and fields, also of columns that a step makes. `external_id`:
    the column that holds it. `required`: columns that the file must have. `only_new`: fields that later runs leave as
    they are. `needs_client`: whether the file does not say whose it is."""

    name: str
    kind: str
    format: str
    described: str
    mapping: tuple[tuple[str, str], ...]
    external_id: str
    required: frozenset[str]
    steps: tuple[Step, ...] = ()
    only_new: frozenset[str] = field(default_factory=frozenset)
    needs_client: bool = False

    @property
    def pairs(self) -> list[dict[str, str]]:
        """The mapping as a request has it."""
        return [{"column": column, "field": path} for column, path in self.mapping]

    def translated(self, record: Record, context: Context) -> tuple[Record, list[tuple[str, str]]]:
        """The record with cells as the mapping wants them, and what is wrong with those that cannot be translated:
        column and sentence."""
        if record.values is None:
            return record, []
        cells = dict(record.values)
        problems = []
        for step in self.steps:
            if cells.keys().isdisjoint(step.reads):
                continue
            try:
                cells[step.column] = step.work(cells, context) or None
            except CellProblemError as problem:
                problems.append((step.column, str(problem)))
                cells.pop(step.column, None)
        return replace(record, values=cells), problems


def text_of(cells: Mapping[str, Any], column: str) -> str:
    """A cell as a text without blanks around it; empty where there is none."""
    value = cells.get(column)
    return undefused(value).strip() if isinstance(value, str) else "" if value is None else str(value)


def words(column: str, known: Mapping[str, str], otherwise: str | None = None) -> Step:
    """Their word becomes ours, whatever the case. One that is not `known` becomes `otherwise`; without that it is an
    error."""
    folded = {word.casefold(): ours for word, ours in known.items()}

    def work(cells: Mapping[str, Any], _: Context) -> str:
        found = text_of(cells, column)
        ours = folded.get(found.casefold(), otherwise) if found else ""
        if ours is None:
            raise CellProblemError(f"must be one of {', '.join(known)}")
        return ours

    return Step(column, (column,), work)


def emptied(column: str, *meaningless: str) -> Step:
    """What stands for nothing becomes an empty cell."""
    folded = {each.casefold() for each in meaningless}

    def work(cells: Mapping[str, Any], _: Context) -> str:
        found = text_of(cells, column)
        return "" if found.casefold() in folded else found

    return Step(column, (column,), work)


def joined(column: str, parts: Sequence[tuple[str, str]], between: str = "\n") -> Step:
    """One text of several columns: of each that is not empty, its words before it and the cell."""

    def work(cells: Mapping[str, Any], _: Context) -> str:
        found = ((before, text_of(cells, part)) for part, before in parts)
        return between.join(before + cell for before, cell in found if cell)

    return Step(column, tuple(part for part, _ in parts), work)


def at_client(column: str, made_of: str, client: str | None) -> Step:
    """A name that is unique at its client alone becomes one that is unique: `Acme / Front desk`. `client`: the column
    with the client's name; where there is none, or it is empty, the import's default stands for it."""

    def work(cells: Mapping[str, Any], context: Context) -> str:
        name = text_of(cells, made_of)
        owner = (text_of(cells, client) if client else "") or context.client or ""
        return f"{owner}{SEPARATOR}{name}" if name else ""

    return Step(column, (made_of,), work)


def told_times(column: str, parts: Sequence[tuple[str, str]]) -> Step:
    """The times in several columns, which say no zone: `opened 2026-02-28T09:30:00+01:00, closed …`."""

    def work(cells: Mapping[str, Any], context: Context) -> str:
        found = ((word, text_of(cells, part)) for part, word in parts)
        return ", ".join(f"{word} {zoned(cell, context.zone)}" for word, cell in found if cell)

    return Step(column, tuple(part for part, _ in parts), work)


def shortened(column: str, most: int) -> Step:
    """At most so many characters."""
    return Step(column, (column,), lambda cells, _: text_of(cells, column)[:most].strip())


def changed(column: str, change: Callable[[str], str]) -> Step:
    """A cell that is not empty, changed by a function."""
    return Step(column, (column,), lambda cells, _: change(found) if (found := text_of(cells, column)) else "")
