"""The reasoners there are, as agent-runtime's registry has them, and whether an input is one of theirs."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from kit import contract, structs
from kit.call import Call
from kit.calls import Passport, ServiceCall, Services
from kit.errors import Conflict, FieldError, Invalid, NotFound
from kit.identity import Principal
from opsfield.agent_runtime.v1 import runtime_pb2

# The code of the problem of a reasoner whose schema cannot be used.
BROKEN = "reasoner-broken"
_SERVICE = "agent-runtime"
_SECONDS = 5.0
# How long an answer is believed.
_FRESH_SECONDS = 5.0
_MOST_KEPT = 1000
_MOST_ERRORS = 100
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Reasoner:
    """One that can be run."""

    agent: str
    name: str
    timeout_seconds: int
    most_tries: int
    validator: Draft202012Validator

    def check(self, value: dict[str, Any]) -> None:
        """Raises Invalid with every error at its place in `input`, when the value does not keep to the schema,
        and Conflict `reasoner-broken` when that cannot be used."""
        try:
            errors = [each for error in self.validator.iter_errors(value) for each in _field_errors(error)]
        except (Unresolvable, RecursionError) as error:
            raise _broken(self.agent, self.name) from error
        if errors:
            raise Invalid.fields(*sorted(errors, key=lambda each: each.path)[:_MOST_ERRORS])


class Reasoners:
    """The registry, its answers kept for a few seconds."""

    def __init__(self, services: Services) -> None:
        rpc = contract.by_name(_SERVICE)["GetReasoner"]
        self._ask = ServiceCall(services, _SERVICE, rpc, timeout=_SECONDS)
        self._known: dict[tuple[str, str, str], tuple[float, Reasoner]] = {}

    async def get(self, call: Call, agent: str, name: str) -> Reasoner:
        """Raises NotFound `reasoner-unknown`, Conflict `reasoner-broken`, and Unavailable when agent-runtime does not
        answer."""
        key = (call.workspace_id, agent, name)
        kept = self._known.get(key)
        if kept is not None and monotonic() - kept[0] < _FRESH_SECONDS:
            return kept[1]
        principal = Principal("service:workflow", workspace_id=call.workspace_id, service="workflow")
        passport = Passport(principal, call.correlation_id, traceparent=call.traceparent)
        request = runtime_pb2.GetReasonerRequest(agent=agent, reasoner=name)
        try:
            answer = (await self._ask(request, passport)).message
        except NotFound as error:
            raise NotFound(f"There is no reasoner {agent}.{name}.", code="reasoner-unknown") from error
        assert isinstance(answer, runtime_pb2.Reasoner)
        reasoner = _reasoner(agent, name, answer)
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[key] = (monotonic(), reasoner)
        return reasoner


def _reasoner(agent: str, name: str, answer: runtime_pb2.Reasoner) -> Reasoner:
    schema = structs.to_json(answer.input_schema)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise _broken(agent, name) from error
    # A registry of its own: nothing that a schema refers to is fetched.
    validator = Draft202012Validator(schema, registry=Registry())
    return Reasoner(agent, name, answer.timeout_seconds, answer.most_tries, validator)


def _broken(agent: str, name: str) -> Conflict:
    return Conflict(f"The input schema of {agent}.{name} is not valid.", code=BROKEN)


def _field_errors(error: Any) -> Iterator[FieldError]:
    """Of a ValidationError, whose stubs say little of what its parts are."""
    path = "input" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    if error.validator == "required":
        # One error for each name that is missing; its place is that of the name.
        missing = next(name for name in error.validator_value if error.message.startswith(f"{name!r} "))
        yield FieldError(f"{path}.{missing}", "is required")
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
        if patterns:
            yield FieldError(path, error.message[:_LONGEST_MESSAGE])
        for name in () if patterns else error.instance:
            if name not in known:
                yield FieldError(f"{path}.{name}", "is not a field")
    else:
        yield FieldError(path, error.message[:_LONGEST_MESSAGE])
