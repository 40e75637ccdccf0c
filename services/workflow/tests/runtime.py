"""agent-runtime as the workflow service sees it: a registry over gRPC, and what is told over Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from kit import contract, ids, structs
from kit.call import Call
from kit.errors import STATUS_DETAILS, NotFound, to_status_details
from kit.events import compose
from kit.identity import Principal, TokenVerifier
from kit.kafka import start_producer, stop
from opsfield.agent_runtime.v1.outcomes_pb2 import ExecutionFinished, ExecutionStarted
from opsfield.agent_runtime.v1.runtime_pb2 import Reasoner
from opsfield.workflow.v1.executions_pb2 import Execution, Proposal

CLASSIFY = {
    "type": "object",
    "properties": {
        "ticketId": {"type": "string", "minLength": 1},
        "limit": {"type": "integer", "minimum": 1},
        "options": {"type": "object", "properties": {"words": {"type": "array", "items": {"type": "string"}}}},
    },
    "required": ["ticketId"],
    "additionalProperties": False,
}
REASONERS: dict[str, dict[str, Any]] = {
    "triage.classify": CLASSIFY,
    "triage.anything": {},
    "triage.remote": {"$ref": "http://127.0.0.1:9/schema.json"},
}
NOW = datetime.now(UTC)


@asynccontextmanager
async def serving(address: str, trust: Path) -> AsyncIterator[None]:
    """GetReasoner at that address, for services only."""
    verifier = TokenVerifier.from_file("agent-runtime", trust)
    rpc = contract.by_name("agent-runtime")["GetReasoner"]

    async def get_reasoner(request: Any, context: Any) -> Message:
        metadata = dict(context.invocation_metadata())
        principal = verifier.verify(metadata["authorization"].removeprefix("Bearer "))
        assert principal.service == "workflow"
        schema = REASONERS.get(f"{request.agent}.{request.reasoner}")
        if schema is None:
            problem = NotFound("Not registered.")
            context.set_trailing_metadata(((STATUS_DETAILS, to_status_details(problem, "c")),))
            await context.abort(problem.grpc_status, problem.detail)
            raise AssertionError
        return Reasoner(
            agent=request.agent,
            name=request.reasoner,
            input_schema=structs.from_json(schema),
            timeout_seconds=60,
            most_tries=3,
            engine="builtin",
        )

    server = grpc.aio.server()
    method: Any = grpc.unary_unary_rpc_method_handler(
        get_reasoner,
        request_deserializer=rpc.request_class.FromString,
        response_serializer=rpc.response_class.SerializeToString,
    )
    service = rpc.descriptor.containing_service.full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {rpc.name: method}),))
    assert server.add_insecure_port(address)
    await server.start()
    yield
    await server.stop(None)


class Runtime:
    """Tells of the executions of one workspace."""

    def __init__(self, broker: str, workspace: str) -> None:
        self._broker = broker
        self._workspace = workspace

    async def tell(
        self, *messages: Message, key: str, twice: bool = False, service: str = "agent-runtime", correlation: str = ""
    ) -> list[str]:
        """Publish events, in their order where they are of one topic; `twice` as after a relay's crash. Their ids."""
        call = Call("/Test", Principal(service, workspace_id=self._workspace), correlation or ids.new_id())
        producer = await start_producer(self._broker, client_id="runtime-test")
        told = []
        try:
            for message in messages:
                event = compose(message, key=key, service=service, call=call)
                told.append(event.id)
                for _ in range(2 if twice else 1):
                    await producer.send_and_wait(event.topic, value=event.body.encode(), key=key.encode())
        finally:
            await stop(producer)
        return told

    async def start(self, execution: Execution, *, attempt: int = 1, tries: int = 1, twice: bool = False) -> None:
        message = ExecutionStarted(execution_id=execution.id, attempt=attempt, tries=tries, started_at=NOW)
        await self.tell(message, key=execution.id, twice=twice)

    async def finish(
        self,
        execution: Execution,
        *proposals: Proposal,
        attempt: int = 1,
        outcome: str = "SUCCEEDED",
        twice: bool = False,
        **fields: Any,
    ) -> None:
        await self.tell(
            finished(execution, *proposals, attempt=attempt, outcome=outcome, **fields), key=execution.id, twice=twice
        )


def finished(
    execution: Execution, *proposals: Proposal, attempt: int = 1, outcome: str = "SUCCEEDED", **fields: Any
) -> ExecutionFinished:
    """What is told of an attempt's end, which came 1.5 s after its start."""
    return ExecutionFinished(
        execution_id=execution.id,
        attempt=attempt,
        outcome=outcome,
        started_at=NOW,
        completed_at=NOW + timedelta(milliseconds=1500),
        tries=fields.pop("tries", 1),
        proposals=proposals,
        **{name: _struct(value) if isinstance(value, dict) else value for name, value in fields.items()},
    )


def _struct(value: dict[str, Any]) -> Any:
    return structs.from_json(value)


def proposal(action: str, summary: str = "It is so.", **parameters: Any) -> Proposal:
    return Proposal(action=action, parameters=structs.from_json(parameters), summary=summary, state="PROPOSED")
