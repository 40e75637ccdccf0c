"""Which column fills which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from kit import contract
from kit.errors import FieldError
from services.integrations.imports.values import ValueProblemError, from_text
from services.integrations.ops_kinds import OpsKind


@dataclass(frozen=True, eq=False)
class Target:
    """A column and its field: `path` as JSON names it, `fields` from the outermost message inwards."""

    column: str
    path: str
    fields: tuple[FieldDescriptor, ...]

    @cached_property
    def mask(self) -> str:
        """As a field mask names it: `billing_address.city`."""
        return ".".join(each.name for each in self.fields)

    @cached_property
    def references(self) -> str:
        """The kind whose ids it holds; empty for most fields."""
        return str(contract.field_options(self.fields[-1]).references)

    @cached_property
    def is_instant(self) -> bool:
        message = self.fields[-1].message_type
        return message is not None and message.full_name == "google.protobuf.Timestamp"


def targets_of(kind: OpsKind, mapping: Sequence[Mapping[str, str]]) -> list[Target]:
    """Of a mapping in which `errors_of` finds nothing."""
    found = [(each["column"], each["field"], kind.field(each["field"])) for each in mapping]
    return [Target(column, path, fields) for column, path, fields in found if fields is not None]


def defaults_of(kind: OpsKind, defaults: Sequence[Mapping[str, str]]) -> dict[Target, Any]:
    """Fields and their values, where nothing is wrong with them."""
    found: dict[Target, Any] = {}
    for each in defaults:
        fields = kind.field(each["field"])
        if fields is not None:
            found[Target(each["field"], each["field"], fields)] = from_text(fields[-1], each["value"])
    return found


def default_errors(kind: OpsKind, defaults: Sequence[Mapping[str, str]]) -> list[FieldError]:
    """What is wrong with defaults, with paths as in the request."""
    errors = []
    seen: set[str] = set()
    for place, each in enumerate(defaults):
        fields = kind.field(each["field"])
        if fields is None:
            errors.append(FieldError(f"defaults[{place}].field", f"is no field of {kind.name} that can be written"))
            continue
        if each["field"] in seen:
            errors.append(FieldError(f"defaults[{place}].field", "has a default already"))
        seen.add(each["field"])
        try:
            from_text(fields[-1], each["value"])
        except ValueProblemError as problem:
            errors.append(FieldError(f"defaults[{place}].value", str(problem)))
    return errors


def errors_of(
    kind: OpsKind,
    mapping: Sequence[Mapping[str, str]],
    external_id_column: str | None,
    defaults: Sequence[Mapping[str, str]] = (),
) -> list[FieldError]:
    """What is wrong with a mapping, with paths as in the request. Without external ids all rows are new, so what a new
    one needs has to be there."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for place, each in enumerate(mapping):
        path, where = each["field"], f"mapping[{place}].field"
        if kind.field(path) is None:
            errors.append(FieldError(where, f"is no field of {kind.name} that can be written"))
        elif any(
            path == other or f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.") for other in seen
        ):
            errors.append(FieldError(where, "is filled by another column already"))
        seen.add(path)
    if not mapping:
        errors.append(FieldError("mapping", "must name a column and its field"))
    elif external_id_column is None:
        filled = {path.partition(".")[0] for path in (*seen, *(each["field"] for each in defaults))}
        missing = [name for name in kind.required if name not in filled]
        errors += [FieldError("mapping", f"must fill {name}: every new one has it") for name in missing]
    return errors
