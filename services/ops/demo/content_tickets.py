"""The tickets of the demo workspace. The same every time, but for the days of the week: all choices come from one
seeded generator, and are put into the working hours before now."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_directory import assets, contacts
from services.ops.demo.content_history import Event, history
from services.ops.demo.content_work import ALARMED, CONCERNED, PLACES, WORK

DAYS = 90
TICKETS = 300
TECHNICIANS = ("amira.haddad", "ben.okafor", "chiara.romano", "david.lindqvist", "elena.petrova")
_TAGS = ("vip", "onsite", "remote", "recurring", "after-hours", "warranty")
_SERVED = tuple(index for index, client in enumerate(CLIENTS) if client.status != "prospect")
# Of an offboarded client, tickets are older than this.
_GONE_FOR_DAYS = 20
_MOST_ALARMS = 18
# Where the latest tickets stand, in turns.
_YOUNG_DAYS = 3
_STANDING = ("in_progress", "waiting_on_client", "resolved", "open", "waiting_on_vendor", "closed", "new", "resolved")


@dataclass(frozen=True)
class DemoAlarm:
    """An alert that came before the ticket: the asset, by its place among the client's, and the rule."""

    asset: int
    rule: str


@dataclass(frozen=True)
class DemoTicket:
    """`client`, `contact`, `site` and `asset` are places in the lists of content; `runbook` says whether the runbook
    of its category is linked."""

    client: int
    contact: int
    site: int
    asset: int | None
    alarm: DemoAlarm | None
    subject: str
    description: str
    category: str
    priority: str
    source: str
    tags: tuple[str, ...]
    assignee: str
    has_runbook: bool
    resolution: str
    born: datetime
    events: tuple[Event, ...]


def tickets(now: datetime) -> list[DemoTicket]:
    """The tickets, oldest first."""
    choose = random.Random(20_260_101)
    # Of late there are more than usual.
    spans = choose.choices((DAYS, _YOUNG_DAYS), (92, 8), k=TICKETS)
    born = sorted(_born(choose, now, choose.uniform(0.02, span)) for span in spans)
    made: list[DemoTicket] = []
    for count, each in enumerate(born):
        made.append(_ticket(choose, count, each, now, alarms={(one.client, one.alarm) for one in made if one.alarm}))
    return made


def _born(choose: random.Random, now: datetime, age: float) -> datetime:
    """Most tickets come in during working hours."""
    born, hour = now - timedelta(days=age), choose.triangular(7, 18, 9.5)
    if choose.random() < 0.1:
        return born
    while born.weekday() > 4:
        born -= timedelta(days=1)
    moved = born.replace(hour=int(hour), minute=int(hour % 1 * 60))
    return moved if moved < now - timedelta(minutes=20) else born


def _ticket(
    choose: random.Random, count: int, born: datetime, now: datetime, *, alarms: set[tuple[int, DemoAlarm]]
) -> DemoTicket:
    age = now - born
    client = _client(choose, age)
    category, priority, subject, description, resolution = choose.choice(WORK)
    asset = _asset(choose, client, CONCERNED.get(category, ()))
    alarm = _alarm(choose, client, subject) if len(alarms) < _MOST_ALARMS else None
    if (client, alarm) in alarms:
        alarm = None
    young = age < timedelta(days=_YOUNG_DAYS)
    contact = choose.randrange(min(3, len(contacts(client))))
    return DemoTicket(
        client=client,
        contact=contact,
        site=contacts(client)[contact].site,
        asset=alarm.asset if alarm else asset,
        alarm=alarm,
        subject=f"{subject} ({choose.choice(PLACES)})",
        description=description,
        category=category,
        priority=priority,
        source="alert" if alarm else choose.choices(("email", "phone", "portal", "api"), (43, 27, 25, 5))[0],
        tags=tuple(sorted(choose.sample(_TAGS, choose.choice((0, 0, 1, 2))))),
        assignee=choose.choice(TECHNICIANS),
        has_runbook=choose.random() < 0.25,
        resolution=resolution,
        born=born,
        events=history(
            choose,
            category=category,
            priority=priority,
            resolution=resolution,
            standing=_STANDING[count % len(_STANDING)] if young else None,
            age=age,
        ),
    )


def _client(choose: random.Random, age: timedelta) -> int:
    client = _SERVED[int(choose.expovariate(0.16)) % len(_SERVED)]
    gone = CLIENTS[client].status == "offboarded" and age < timedelta(days=_GONE_FOR_DAYS)
    return 0 if gone else client


def _asset(choose: random.Random, client: int, types: tuple[str, ...]) -> int | None:
    fitting = [place for place, each in enumerate(assets(client)) if each.type in types and each.lifecycle != "ordered"]
    return choose.choice(fitting) if fitting and choose.random() < 0.7 else None


def _alarm(choose: random.Random, client: int, subject: str) -> DemoAlarm | None:
    if subject not in ALARMED:
        return None
    type_, rule = ALARMED[subject]
    asset = next((place for place, each in enumerate(assets(client)) if each.type == type_), None)
    return None if asset is None or choose.random() < 0.25 else DemoAlarm(asset, rule)
