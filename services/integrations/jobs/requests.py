"""What a request for an import asks for, and what is wrong with it."""

from dataclasses import dataclass, field

from kit.errors import FieldError
from opsfield.integrations.v1 import jobs_pb2 as pb2
from services.integrations.imports import mapping as mappings
from services.integrations.imports.profiles.all import PROFILES
from services.integrations.imports.profiles.profile import Profile
from services.integrations.ops_kinds import OpsKind, all_kinds

_FORMATS = {pb2.Job.CSV: "csv", pb2.Job.JSONL: "jsonl"}


@dataclass(frozen=True)
class Asked:
    """With a profile, kind, format, mapping and the column of the external id are the profile's."""

    kind: str
    format: str
    mapping: list[dict[str, str]]
    external_id_column: str | None
    profile: str | None = None
    time_zone: str | None = None
    defaults: list[dict[str, str]] = field(default_factory=list)


def import_of(request: pb2.CreateImportRequest) -> tuple[Asked, list[FieldError]]:
    """What is asked for, with everything that is wrong with it but the upload."""
    profile = PROFILES.get(request.profile) if request.HasField("profile") else None
    errors = _of_profile(request, profile) if request.HasField("profile") else _by_itself(request)
    defaults = [{"field": each.field, "value": each.value} for each in request.defaults]
    time_zone = request.time_zone if request.HasField("time_zone") else None
    column = request.external_id_column if request.HasField("external_id_column") else None
    if profile is not None:
        asked = Asked(
            profile.kind, profile.format, profile.pairs, profile.external_id, profile.name, time_zone, defaults
        )
    else:
        mapping = [{"column": each.column, "field": each.field} for each in request.mapping]
        asked = Asked(
            request.kind, _FORMATS.get(request.format, ""), mapping, column, time_zone=time_zone, defaults=defaults
        )
    kind = all_kinds().get(asked.kind)
    if kind is not None:
        errors += _of_kind(asked, kind, profile)
    return asked, errors


def no_kind() -> FieldError:
    return FieldError("kind", f"must be one of {', '.join(sorted(all_kinds()))}")


def _of_kind(asked: Asked, kind: OpsKind, profile: Profile | None) -> list[FieldError]:
    errors = mappings.default_errors(kind, asked.defaults)
    if profile is None:
        errors += mappings.errors_of(kind, asked.mapping, asked.external_id_column, asked.defaults)
    elif profile.needs_client and all(each["field"] != "clientId" for each in asked.defaults):
        errors.append(FieldError("defaults", "must fill clientId: the file does not say whose it is"))
    return errors


def _of_profile(request: pb2.CreateImportRequest, profile: Profile | None) -> list[FieldError]:
    if profile is None:
        return [FieldError("profile", f"must be one of {', '.join(PROFILES)}")]
    errors = []
    if request.kind not in ("", profile.kind):
        errors.append(FieldError("kind", f"is {profile.kind} with this profile; leave it out"))
    if request.format and _FORMATS.get(request.format) != profile.format:
        errors.append(FieldError("format", f"is {profile.format} with this profile; leave it out"))
    if request.mapping:
        errors.append(FieldError("mapping", "is the profile's; give one of the two"))
    if request.HasField("external_id_column"):
        errors.append(FieldError("externalIdColumn", "is the profile's; leave it out"))
    return errors


def _by_itself(request: pb2.CreateImportRequest) -> list[FieldError]:
    errors = []
    if request.kind not in all_kinds():
        errors.append(no_kind())
    if request.format not in _FORMATS:
        errors.append(FieldError("format", "must be csv or jsonl: Parquet is only exported"))
    return errors
