"""What agent-runtime tells: executions begin and end."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct

from kit import contract, structs
from kit.consumer import Subscription
from kit.event_messages import said
from kit.events import ReceivedEvent
from kit.instants import instant
from kit.live_settings import SettingsReader
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork
from opsfield.agent_runtime.v1.outcomes_pb2 import ExecutionFinished, ExecutionStarted
from opsfield.workflow.v1.executions_pb2 import Execution
from services.workflow import json_values
from services.workflow.executions import artifacts, endings, messages, rules, store
from services.workflow.executions.rules import Report, Row
from services.workflow.proposals import policy

NAME = "workflow-runtime"
_TOGETHER = 20
_MOST_PROPOSALS = 100
# They are told with each end of the execution, in an event, which has to fit into what the broker takes (1 MB).
_MOST_PROPOSED_BYTES = 500_000

log = get_logger(__name__)


class OutputInvalidError(ValueError):
    """What the runtime reports of an execution cannot be kept."""


def subscription(settings: SettingsReader) -> Subscription:
    """What workflow listens to of agent-runtime."""
    consumer = RuntimeConsumer(settings)
    return Subscription(
        NAME,
        {
            contract.event_topic(ExecutionStarted.DESCRIPTOR): consumer.execution_started,
            contract.event_topic(ExecutionFinished.DESCRIPTOR): consumer.execution_finished,
        },
        together=_TOGETHER,
    )


class RuntimeConsumer:
    """Handlers of the runtime's events. What tells of an attempt that has ended, or of nothing that is known, changes
    nothing. Each raises Invalid for an event that cannot be: it is parked."""

    def __init__(self, settings: SettingsReader) -> None:
        self._settings = settings

    async def execution_started(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        told = said(event.data, ExecutionStarted)
        row = await store.lock(work, told.execution_id)
        at = instant(told.started_at, "startedAt")
        if row is not None and rules.start(row, attempt=told.attempt, tries=max(told.tries, 1), at=at):
            await endings.keep(work, row)
        else:
            _leave_aside(event, told.execution_id)

    async def execution_finished(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        told = said(event.data, ExecutionFinished)
        row = await store.lock(work, told.execution_id)
        if row is None or not rules.is_awaited(row, told.attempt):
            _leave_aside(event, told.execution_id)
            return
        try:
            report = await _report(work, told)
        except OutputInvalidError as error:
            report = _unusable(told, str(error))
        apply_at_once = bool(report.proposals) and await self._is_applied_at_once(work, row)
        rules.finish(row, report, work.now, apply_at_once=apply_at_once)
        if row["decision"] is not None:
            await endings.decide(work, row)
        else:
            await endings.keep(work, row)

    async def _is_applied_at_once(self, work: UnitOfWork, row: Row) -> bool:
        settings = (await self._settings.workspace(work.call.workspace_id)).value.settings
        return policy.applies_at_once(row["agent"], row["reasoner"], settings.automation.apply_at_once)


async def _report(work: UnitOfWork, told: ExecutionFinished) -> Report:
    proposals = _proposals(told)
    found = {name: _canonical(getattr(told, name), name) for name in ("output", "evidence") if told.HasField(name)}
    refs = dict(zip(found, await artifacts.keep(work, *found.values()), strict=True))
    return Report(
        **_outcome(told),
        tries=told.tries,
        output_ref=refs.get("output"),
        evidence_ref=refs.get("evidence"),
        proposals=proposals,
        proposals_digest=_digest(proposals) if proposals else None,
        failure_code=Execution.FailureCode.Name(told.failure_code).lower() if told.failure_code else None,
        failure_detail=told.failure_detail.replace("\0", "") or None,
    )


def _unusable(told: ExecutionFinished, why: str) -> Report:
    outcome = {**_outcome(told), "outcome": "failed"}
    return Report(**outcome, tries=told.tries, failure_code="output_invalid", failure_detail=why)


def _outcome(told: ExecutionFinished) -> dict[str, Any]:
    return {
        "attempt": told.attempt,
        "outcome": ExecutionFinished.Outcome.Name(told.outcome).lower(),
        "completed_at": instant(told.completed_at, "completedAt"),
        "started_at": instant(told.started_at, "startedAt") if told.HasField("started_at") else None,
    }


def _proposals(told: ExecutionFinished) -> list[Mapping[str, Any]]:
    """What a digest and a decision are about: each one's action, parameters and summary."""
    if told.outcome != ExecutionFinished.SUCCEEDED:
        return []
    if len(told.proposals) > _MOST_PROPOSALS:
        raise OutputInvalidError(f"It proposes more than {_MOST_PROPOSALS} changes.")
    proposals = [
        {
            "action": messages.action_word(each.action),
            "parameters": structs.to_json(each.parameters),
            "summary": each.summary,
        }
        for each in told.proposals
    ]
    if json_values.holds_nul(proposals):
        raise OutputInvalidError("A proposal contains the character NUL.")
    return proposals  # type: ignore[return-value] # a list of dicts is one of mappings


def _digest(proposals: list[Mapping[str, Any]]) -> str:
    try:
        data = json_values.canonical(proposals)
    except ValueError as error:
        raise OutputInvalidError(f"A proposal {error}.") from error
    if len(data) > _MOST_PROPOSED_BYTES:
        raise OutputInvalidError(f"Its proposals have more than {_MOST_PROPOSED_BYTES} bytes.")
    return json_values.digest(data)


def _canonical(struct: Struct, name: str) -> bytes:
    try:
        data = json_values.canonical(structs.to_json(struct))
    except ValueError as error:
        raise OutputInvalidError(f"The {name} {error}.") from error
    if len(data) > artifacts.MOST_BYTES:
        raise OutputInvalidError(f"The {name} has more than {artifacts.MOST_BYTES} bytes.")
    return data


def _leave_aside(event: ReceivedEvent, execution_id: str) -> None:
    log.info("event left aside", topic=event.topic, execution=execution_id, reason="its attempt is not awaited")
