"""An OpsReader over the real ops service, that counts what it reads."""

from typing import Any

import orjson

from kit import contract, json_encoding
from kit.calls import Passport, ServiceCall, Services
from kit.identity import Principal
from services.agent_runtime.tests.rows import MESSAGES, RPCS, Row, list_rpc

_READER = Principal("reasoner", frozenset({"ops_engineer", "billing"}), "demo")


class GrpcOps:
    """Reads the demo workspace."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.calls = 0
        self.rows = 0

    async def get(self, kind: str, resource_id: str) -> Row:
        rpc = RPCS[f"Get{MESSAGES[kind].__name__}"]
        self.rows += 1
        return _json(await self._ask(rpc, {"id": resource_id}))

    async def list(self, kind: str, *, limit: int = 200, **filters: Any) -> list[Row]:
        rpc = list_rpc(kind)
        fields = {each.json_name: each for each in rpc.descriptor.input_type.fields}
        wanted: Row = {"limit": limit}
        for name, value in filters.items():
            field = fields[name]
            wanted[field.name] = value if field.enum_type is None else contract.enum_words(field)[value]
        answer = await self._ask(rpc, wanted)
        self.rows += len(answer.data)
        return [_json(each) for each in answer.data]

    async def _ask(self, rpc: contract.Rpc, fields: Row) -> Any:
        self.calls += 1
        call = ServiceCall(self._services, "ops", rpc, timeout=20)
        return (await call(rpc.request_class(**fields), Passport(_READER, "c-1"))).message


def _json(message: Any) -> Row:
    found: Row = orjson.loads(json_encoding.encode(message))
    return found
