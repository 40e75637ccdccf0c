"""AgentField's JSON, read: only what is needed of it, each text bounded, everything else left aside. Pure."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from kit.errors import FieldError, Invalid, Malformed
from services.agent_runtime.nodes.offer import ANYTHING, Offer
from services.agent_runtime.nodes.schemas import usable

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LONGEST_DETAIL = 500
_LONGEST_DESCRIPTION = 500
_LONGEST_GRACE = 300.0
_MOST_OFFERS = 200

Text = Annotated[str, Meta(max_length=200)]
Word = Annotated[str, Meta(max_length=50)]
S = TypeVar("S", bound=Struct)

# AgentField's other words for what ends a run.
_TERMINAL = {
    "succeeded": ("succeeded", "success", "successful", "completed", "complete", "done", "ok"),
    "failed": ("failed", "failure", "error", "errored"),
    "cancelled": ("cancelled", "canceled", "cancel"),
    "timeout": ("timeout", "timed_out", "timedout"),
}
_STATUS_OF = {word: status for status, words in _TERMINAL.items() for word in words}


class _Offered(Struct):
    id: Text
    description: str | None = None
    input_schema: Any = None
    output_schema: Any = None


class _Registration(Struct):
    id: Text
    base_url: Annotated[str, Meta(max_length=2000)]
    version: Text | None = None
    instance_id: Text | None = None
    reasoners: Annotated[list[_Offered], Meta(max_length=_MOST_OFFERS)] | None = None
    skills: Annotated[list[_Offered], Meta(max_length=_MOST_OFFERS)] | None = None


class _Heartbeat(Struct):
    instance_id: Text | None = None


class _Phase(Struct):
    phase: Word | None = None


class _Shutdown(Struct):
    timeout_seconds: float | None = None


class _Report(Struct):
    status: Word
    result: Any = None
    error: Any = None
    error_message: Any = None
    status_reason: Any = None


@dataclass(frozen=True)
class Registration:
    """`base_url` without a slash at its end. Without an instance of its own each process of the agent is the same."""

    name: str
    base_url: str
    version: str
    instance_id: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class Report:
    """What came of a run. `status`: `succeeded`, `failed`, `cancelled` or `timeout`; None when it goes on. `detail`:
    why, in a line."""

    status: str | None
    result: Any
    detail: str


def registration(data: bytes) -> Registration:
    """Raises Malformed for what is no JSON, Invalid for what is no registration."""
    read = _read(data, _Registration)
    offered = [("reasoner", each) for each in read.reasoners or ()] + [("skill", each) for each in read.skills or ()]
    wrong = [] if _NAME.fullmatch(read.id) else [FieldError("id", _NAME_RULE)]
    wrong += [FieldError(f"{kind}s: {each.id}", _NAME_RULE) for kind, each in offered if not _NAME.fullmatch(each.id)]
    if wrong:
        raise Invalid.fields(*wrong)
    offers: dict[str, Offer] = {}
    for kind, each in offered:
        # As in AgentField, a reasoner comes before a skill of the same name.
        offers.setdefault(each.id, _offer(kind, each))
    return Registration(
        name=read.id,
        base_url=read.base_url.rstrip("/"),
        version=clean(read.version or "", 200),
        instance_id=clean(read.instance_id or "", 200),
        offers=tuple(offers.values()),
    )


def instance(data: bytes) -> str | None:
    """Of the process that sends a heartbeat; older agents do not say. Raises as `registration`."""
    return _read(data, _Heartbeat).instance_id if data else None


def leaves(data: bytes) -> bool:
    """Whether an agent's phase is its last one. Raises as `registration`."""
    return _read(data, _Phase).phase == "offline"


def grace(data: bytes) -> float:
    """For how many seconds a node that leaves goes on with what it runs. Raises as `registration`."""
    asked = _read(data, _Shutdown).timeout_seconds if data else None
    return min(max(asked or 0.0, 0.0), _LONGEST_GRACE)


def report(data: bytes) -> Report:
    """Raises as `registration`."""
    read = _read(data, _Report)
    said = next((each for each in (read.error, read.error_message, read.status_reason) if each), None)
    return Report(_STATUS_OF.get(read.status.lower()), read.result, words(said))


def words(said: Any) -> str:
    """What an agent says of an error, in a line: a text, or JSON."""
    text = said if isinstance(said, str) else "" if said is None else msgspec.json.encode(said).decode()
    return clean(" ".join(text.split()), _LONGEST_DETAIL)


def clean(text: str, longest: int) -> str:
    """Such as the database can hold."""
    return text[:longest].replace("\0", "").encode(errors="replace").decode()


_NAME_RULE = "must be 1 to 100 letters, digits, dashes and underscores"


def _offer(kind: str, offered: _Offered) -> Offer:
    return Offer(
        name=offered.id,
        kind=kind,
        description=clean(" ".join((offered.description or "").split()), _LONGEST_DESCRIPTION),
        input_schema=usable(offered.input_schema) or ANYTHING,
        result_schema=usable(offered.output_schema),
    )


def _read(data: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid.fields(FieldError("body", str(error)[:300].replace("`", ""))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("The body is not JSON.", code="body-not-json") from error
