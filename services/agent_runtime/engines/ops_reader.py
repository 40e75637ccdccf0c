"""What reasoners read of ops: over gRPC, on behalf of the execution's workspace, and not without bound."""

from functools import cache
from typing import Any, NamedTuple

import orjson
from google.protobuf.message import Message

from kit import contract, json_encoding
from kit.calls import Passport, ServiceCall, Services
from kit.contract import Rpc
from kit.identity import Principal
from services.agent_runtime.engines.port import Json, Task

_SERVICE = "agent-runtime"
_SECONDS = 5.0
MOST_CALLS = 20
MOST_ROWS = 2000
_PAGE = 200


class TooMuchRead(Exception):
    """A reasoner wanted to read more than one execution may."""


class KindRpcs(NamedTuple):
    get: Rpc
    list: Rpc


class OpsCalls:
    """The calls that all readers share."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._calls: dict[str, ServiceCall] = {}

    async def ask(self, rpc: Rpc, request: Message, passport: Passport) -> Message:
        """Raises ops' own Problem, or Unavailable."""
        if rpc.path not in self._calls:
            self._calls[rpc.path] = ServiceCall(self._services, "ops", rpc, timeout=_SECONDS)
        return (await self._calls[rpc.path](request, passport)).message


class GrpcOpsReader:
    """Reads for one execution. Raises LookupError for a kind or filter that ops does not have, TooMuchRead."""

    def __init__(self, calls: OpsCalls, task: Task) -> None:
        self._calls = calls
        principal = Principal(f"execution:{task.execution_id}", workspace_id=task.workspace_id, service=_SERVICE)
        self._passport = Passport(principal, task.correlation_id, traceparent=task.traceparent)
        self._calls_left = MOST_CALLS
        self._rows_left = MOST_ROWS

    async def get(self, kind: str, resource_id: str) -> Json:
        rpc = _rpcs(kind).get
        return _json(await self._ask(rpc, rpc.request_class(id=resource_id)))

    async def list(self, kind: str, *, limit: int = _PAGE, **filters: Any) -> list[Json]:
        rpc = _rpcs(kind).list
        response: Any = await self._ask(rpc, _list_request(rpc, {**filters, "limit": limit}))
        rows = [_json(each) for each in response.data]
        self._count(len(rows))
        return rows

    async def _ask(self, rpc: Rpc, request: Message) -> Message:
        if self._calls_left == 0:
            raise TooMuchRead(f"it wanted to ask more than {MOST_CALLS} times")
        self._calls_left -= 1
        return await self._calls.ask(rpc, request, self._passport)

    def _count(self, rows: int) -> None:
        self._rows_left -= rows
        if self._rows_left < 0:
            raise TooMuchRead(f"it wanted to read more than {MOST_ROWS} rows")


def _list_request(rpc: Rpc, values: Json) -> Message:
    fields = {each.json_name: each for each in rpc.descriptor.input_type.fields}
    fields |= {each.name: each for each in fields.values()}
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise LookupError(f"{rpc.name} has no filter {name}")
        field = fields[name]
        if field.enum_type is not None and isinstance(value, str):
            words = contract.enum_words(field)
            if value not in words:
                raise LookupError(f"{name} is one of {', '.join(words)}")
            value = words[value]
        arguments[field.name] = value
    return rpc.request_class(**arguments)


def _json(message: Message) -> Json:
    found: Json = orjson.loads(json_encoding.encode(message))
    return found


def _rpcs(kind: str) -> KindRpcs:
    if kind not in _kinds():
        raise LookupError(f"ops has no kind {kind}")
    return _kinds()[kind]


@cache
def _kinds() -> dict[str, KindRpcs]:
    rpcs = contract.by_name("ops")
    kinds = {}
    for name, rpc in rpcs.items():
        data = rpc.descriptor.output_type.fields_by_name.get("data")
        if name.startswith("List") and data is not None and data.message_type is not None:
            kind, one = contract.resource_options(data.message_type).kind, f"Get{data.message_type.name}"
            if kind and one in rpcs:
                kinds[kind] = KindRpcs(rpcs[one], rpc)
    return kinds
