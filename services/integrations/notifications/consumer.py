"""Events that a rule matches become messages."""

from kit.consumer import Subscription
from kit.event_values import TOPICS
from kit.events import ReceivedEvent
from kit.unit_of_work import UnitOfWork
from services.integrations.notifications import rules, store

NAME = "integrations-notifications"
_TOGETHER = 20


def subscription() -> Subscription:
    return Subscription(NAME, dict.fromkeys(TOPICS, take), together=_TOGETHER)


async def take(event: ReceivedEvent, work: UnitOfWork) -> None:
    """Each rule tells an event once at most."""
    for rule in await store.rules_of(work, event.topic):
        if rules.applies(rule, event.data, work.now) and not await store.repeat(work, rule, event.key):
            title, body = rules.words(rule, event.data)
            await store.add(work, rule, event_id=event.id, subject=event.key, title=title, body=body)
