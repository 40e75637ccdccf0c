"""What an agent returns, as the outcome of a run. Pure.

A result that is no object becomes `{"value": …}`. An agent that has more to say returns an object whose only key is
`opsfield`: `{"opsfield": {"output": {…}, "evidence": {…}, "proposals": [{"action", "parameters", "summary"}]}}`. Its
proposals then go the way of all: nothing is done unless somebody, or the workspace's settings, approve of it.
"""

from typing import Annotated, Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from msgspec import Meta, Struct
from referencing import Registry
from referencing.exceptions import Unresolvable

from services.agent_runtime.engines.port import Failed, Succeeded
from services.agent_runtime.nodes import wire

Json = dict[str, Any]
_KEY = "opsfield"
# What may go better another time: the agent, or what stands before it, is overloaded or starting.
_PASSING = frozenset({429, 502, 503, 504})


class _Proposal(Struct, forbid_unknown_fields=True):
    action: Annotated[str, Meta(max_length=50)]
    summary: Annotated[str, Meta(min_length=1, max_length=1000)]
    parameters: Json = {}


class _Envelope(Struct, forbid_unknown_fields=True):
    output: Any = {}
    evidence: Json = {}
    proposals: Annotated[list[_Proposal], Meta(max_length=20)] = []


def succeeded(result: Any, schema: Json | None, *, node: Json) -> Succeeded | Failed:
    """`schema`: of what the agent returns, if there is one; `node`: what is known of who returned it."""
    if schema is not None and (problem := _problem(result, schema)):
        return Failed("output_invalid", problem)
    if not (isinstance(result, dict) and result.keys() == {_KEY}):
        return Succeeded(_object(result), {"node": node}, ())
    try:
        envelope = msgspec.convert(result[_KEY], _Envelope, strict=True)
    except msgspec.ValidationError as error:
        return Failed("output_invalid", wire.words(f"{_KEY}: {error}"))
    return Succeeded(
        _object(envelope.output),
        {**envelope.evidence, "node": node},
        tuple(
            {"action": each.action, "parameters": each.parameters, "summary": each.summary}
            for each in envelope.proposals
        ),
    )


def answered(body: bytes, schema: Json | None, *, node: Json) -> Succeeded | Failed:
    """What the agent answered to the call itself."""
    try:
        result = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Failed("output_invalid", "The agent's answer is no JSON.")
    return succeeded(result, schema, node=node)


def refused(status: int, body: bytes) -> Failed:
    """An answer with a status that is no success."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if isinstance(said, dict):
        said = next((said[name] for name in ("detail", "error", "message") if said.get(name)), None)
    detail = f"The agent answered with status {status}" + (f": {wire.words(said)}" if said else ".")
    if status in _PASSING:
        return Failed("engine_unreachable", detail, passes=True)
    return Failed("reasoner_error", detail)


def reported(report: wire.Report, schema: Json | None, *, node: Json) -> Succeeded | Failed:
    """What the agent told later; `report.status` is one that ends a run."""
    if report.status == "succeeded":
        return succeeded(report.result, schema, node=node)
    if report.status == "cancelled":
        # Not by us, or the run would have ended before.
        return Failed("worker_lost", f"The agent gave it up: {report.detail or 'it does not say why'}", passes=True)
    if report.status == "timeout":
        return Failed("deadline_exceeded", report.detail or "The agent took longer than it allows itself.")
    return Failed("reasoner_error", report.detail or "The agent failed, and does not say why.")


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {"value": value}


def _problem(result: Any, schema: Json) -> str | None:
    """Where and how a result breaks the agent's own schema; None when it does not, or the schema is of no use."""
    try:
        # A registry of its own: nothing that a schema refers to is fetched.
        Draft202012Validator(schema, registry=Registry()).validate(result)
    except ValidationError as error:
        return wire.words(f"{error.json_path}: {error.message}")
    except (Unresolvable, RecursionError):
        return None
    return None
