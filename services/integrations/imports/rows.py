"""Rows on their way from the file to ops: read by the mapping, their external ids resolved, made into messages."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from google.protobuf.message import Message

from kit import validation
from kit.errors import FieldError, Invalid, Problem
from kit.formats import COMPILED
from opsfield.common.v1 import problem_pb2
from opsfield.options.v1 import field_pb2
from services.integrations.imports.external_ids import Known
from services.integrations.imports.mapping import Target
from services.integrations.imports.rules import Record, zoned
from services.integrations.imports.values import ValueProblemError, from_json, from_text, put
from services.integrations.ops_kinds import OpsKind

MOST_EXTERNAL_ID = 200


@dataclass
class Row:
    """`number`: of the row in the file, the first after the header is 1. `values`: of the targets that it fills (an
    empty cell is None). `resource_id`: what it changes; None: it makes a new one. `problems`: columns and what is
    wrong with them; an empty column means the whole row."""

    number: int
    text: str
    values: dict[Target, Any] = field(default_factory=dict)
    external_id: str | None = None
    resource_id: str | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)


def read(
    record: Record,
    number: int,
    targets: Sequence[Target],
    external_id_column: str | None,
    *,
    is_text: bool,
    zone: tzinfo | None = None,
) -> Row:
    """`is_text`: whether values are the cells of a CSV file, and not of JSON; `zone`: of times that say none."""
    row = Row(number, record.text)
    if record.values is None:
        row.problems.append(("", record.problem or ""))
        return row
    if external_id_column is not None:
        _read_external_id(row, external_id_column, record.values.get(external_id_column))
    convert = from_text if is_text else from_json
    for target in targets:
        if target.column not in record.values:
            continue
        value = record.values[target.column]
        if zone is not None and target.is_instant and isinstance(value, str):
            value = zoned(value, zone)
        try:
            row.values[target] = convert(target.fields[-1], value)
        except ValueProblemError as problem:
            row.problems.append((target.column + problem.path, str(problem)))
    return row


def fill(row: Row, defaults: Mapping[Target, Any]) -> None:
    """Put in values for what the row leaves empty."""
    filled = {target.path for target, value in row.values.items() if value is not None}
    for target in [each for each in row.values if row.values[each] is None]:
        if any(target.path == default.path for default in defaults):
            del row.values[target]
    row.values.update({target: value for target, value in defaults.items() if target.path not in filled})


def leave(row: Row, paths: Collection[str]) -> None:
    """Take out fields that only a new resource gets, if the row's is there already."""
    if row.resource_id is not None:
        row.values = {target: value for target, value in row.values.items() if target.path not in paths}


def until_repeated(rows: Sequence[Row]) -> int:
    """How many of the rows there are before one has an external id for the second time: that one changes what the
    first has made, so it has to wait until this is recorded."""
    seen: set[str] = set()
    for place, row in enumerate(rows):
        if row.external_id is not None and not row.problems:
            if row.external_id in seen:
                return place
            seen.add(row.external_id)
    return len(rows)


def wanted(rows: Iterable[Row], kind: str) -> dict[str, set[str]]:
    """The external ids that have to be looked up, by kind."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.external_id is not None:
            found.setdefault(kind, set()).add(row.external_id)
        for target, value in row.values.items():
            if target.references:
                for each in _texts(value):
                    if not _is_id(each):
                        found.setdefault(target.references, set()).add(each)
    return found


def resolve(row: Row, kind: str, known: Known) -> None:
    """Put in resources' ids for external ones. What is known by neither becomes a problem of the row."""
    if row.external_id is not None:
        row.resource_id = known.get(kind, {}).get(row.external_id)
    for target, value in row.values.items():
        if not target.references or value is None:
            continue
        found = [each if _is_id(each) else known.get(target.references, {}).get(each) for each in _texts(value)]
        if None in found:
            missing = next(each for each, resource in zip(_texts(value), found, strict=True) if resource is None)
            row.problems.append(
                (target.column, f"{missing} is neither an id nor an external id of {target.references}")
            )
        else:
            row.values[target] = found if isinstance(value, list) else found[0]


def message_of(row: Row, kind: OpsKind) -> tuple[Message, list[str]]:
    """The resource as far as the row tells it, and what of it an update sets. A row without a problem may get some
    here: the limits of the kind's fields."""
    message = kind.message()
    mask = []
    for target, value in row.values.items():
        put(message, target.fields, value)
        # No word of an enum means: leave it as it is.
        if value is not None or target.fields[-1].enum_type is None:
            mask.append(target.mask)
    if row.resource_id is None:
        try:
            validation.check(message)
        except Invalid as invalid:
            row.problems += problems_of(invalid, list(row.values))
    return message, mask


def problems_of(problem: Problem | problem_pb2.Problem, targets: Iterable[Target]) -> list[tuple[str, str]]:
    """What ops, or the limits, have against a row, at its columns."""
    errors: Sequence[Any] = problem.errors
    if not errors:
        return [("", problem.detail)]
    paths = {target.path: target.column for target in targets}
    return [(_column(each, paths), each.message) for each in errors]


def _column(error: FieldError | problem_pb2.FieldError, paths: Mapping[str, str]) -> str:
    for path, column in paths.items():
        if error.path == path or error.path.startswith((f"{path}.", f"{path}[")):
            return column + error.path[len(path) :]
    return error.path


def _read_external_id(row: Row, column: str, value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        row.problems.append((column, "is needed: the row's external id"))
    elif len(value.strip()) > MOST_EXTERNAL_ID or "\0" in value:
        row.problems.append((column, f"must have at most {MOST_EXTERNAL_ID} characters, and no NUL"))
    else:
        row.external_id = value.strip()


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _is_id(text: str) -> bool:
    return bool(COMPILED[field_pb2.UUID].match(text))
