"""Events that start executions, once each."""

from datetime import timedelta
from typing import Any

from kit.consumer import Subscription
from kit.errors import Conflict, Invalid, NotFound
from kit.event_values import TOPICS, value_at
from kit.events import ReceivedEvent
from kit.formats import COMPILED
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork
from opsfield.options.v1 import field_pb2
from services.workflow.executions import starting
from services.workflow.executions import store as executions
from services.workflow.executions.starting import Cause
from services.workflow.proposals.ops_client import execution_of
from services.workflow.reasoners import BROKEN, Reasoners
from services.workflow.triggers import rules, store

NAME = "workflow-triggers"
_TOGETHER = 20
_MINUTE = timedelta(minutes=1)
_COMPLETED = "workflow.completed"

log = get_logger(__name__)


def subscription(reasoners: Reasoners) -> Subscription:
    """What triggers listen to."""
    consumer = TriggerConsumer(reasoners)
    return Subscription(NAME, dict.fromkeys(TOPICS, consumer.take), together=_TOGETHER)


class TriggerConsumer:
    """An event starts what it can. What cannot be started is counted and logged: it is no fault of the event."""

    def __init__(self, reasoners: Reasoners) -> None:
        self._reasoners = reasoners

    async def take(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        """Raises Unavailable while agent-runtime does not answer: the event waits."""
        for trigger in await store.enabled(work, event.topic):
            if rules.matches(trigger["filter"], event.data):
                await self._pull(trigger, event, work)

    async def _pull(self, trigger: dict[str, Any], event: ReceivedEvent, work: UnitOfWork) -> None:
        if not await store.hold(work, trigger["id"]):
            return
        outcome, reason = await self._start(trigger, event, work)
        await store.count(work, trigger["id"], outcome)
        say = log.info if outcome == "started" else log.warning
        say("trigger", trigger=trigger["name"], outcome=outcome, event_id=event.id, topic=event.topic, detail=reason)

    async def _start(self, trigger: dict[str, Any], event: ReceivedEvent, work: UnitOfWork) -> tuple[str, str]:
        """The outcome, and what there is to say of it."""
        depth = await _depth(event, work)
        if depth > rules.MOST_DEEP:
            return "too_deep", f"{depth} executions stand behind it"
        if await executions.started_by(work, trigger["id"], work.now - _MINUTE) >= trigger["most_per_minute"]:
            return "rate_limited", f"more than {trigger['most_per_minute']} in a minute"
        agent, _, name = trigger["reasoner"].partition(".")
        cause = Cause(f"trigger:{trigger['name']}", depth=depth, trigger_id=trigger["id"], event_id=event.id)
        try:
            reasoner = await self._reasoners.get(work.call, agent, name)
            execution = await starting.start(work, reasoner, rules.input_of(trigger["input"], event.data), cause)
        except NotFound as error:
            return "reasoner_unknown", error.detail
        except Conflict as error:
            if error.code != BROKEN:
                raise
            return "reasoner_broken", error.detail
        except Invalid as error:
            return "input_invalid", "; ".join(f"{each.path} {each.message}" for each in error.errors)
        return "started", execution.id


async def _depth(event: ReceivedEvent, work: UnitOfWork) -> int:
    """How many executions stand behind what the event would start: 0 when none has caused it."""
    causing = value_at(event.data, "execution.id") if event.topic == _COMPLETED else execution_of(event.correlation_id)
    if not isinstance(causing, str) or not COMPILED[field_pb2.UUID].match(causing):
        return 0
    known = await executions.depth(work, causing)
    return 0 if known is None else known + 1
