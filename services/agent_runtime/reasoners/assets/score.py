"""How well an asset is: 100, less what is wrong with it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.assets.operating_systems import support_ends
from services.agent_runtime.reasoners.text import counted

Row = dict[str, Any]

_STATUS = {"offline": 25, "degraded": 15, "unknown": 5}
_ALERT = {"critical": 25, "high": 12, "warning": 6, "info": 2}
_MOST_BY_ALERTS = 40
_REACHED = frozenset({"online", "degraded"})
_UNSEEN = ((timedelta(days=30), 15), (timedelta(days=7), 8))
_WARRANTY_ENDED, _WARRANTY_ENDS, _WARRANTY_SOON = 10, 5, timedelta(days=60)
# In years: at that age it is usually replaced. Others live on.
_LIFE = {
    "workstation": 5, "laptop": 4, "server": 6, "network_device": 7, "printer": 6, "mobile": 3,
}  # fmt: skip
_OLD, _AGEING = 15, 7
_YEAR = timedelta(days=365.25)
_UNSUPPORTED, _SUPPORT_ENDS, _SUPPORT_SOON = 25, 8, timedelta(days=180)
_PER_TICKET, _MOST_BY_TICKETS = 4, 16
_BANDS = ((80, "good"), (60, "fair"), (40, "poor"), (0, "critical"))


@dataclass(frozen=True)
class Fault:
    """Something wrong: the rule, what it costs of 100, and what was seen."""

    rule: str
    points: int
    reason: str


@dataclass(frozen=True)
class Health:
    asset: Row
    faults: list[Fault]

    @property
    def score(self) -> int:
        return max(0, 100 - sum(fault.points for fault in self.faults))

    @property
    def band(self) -> str:
        return next(name for least, name in _BANDS if self.score >= least)

    def has(self, rule: str) -> bool:
        return any(fault.rule == rule for fault in self.faults)


def health_of(asset: Row, alerts: Sequence[Row], tickets: Sequence[Row], now: datetime) -> Health:
    """`alerts`: of the asset, those that are not over; `tickets`: of the asset, of the last 90 days."""
    faults = [*_reachable(asset, now), *_alerts(alerts), *_lifetime(asset, now), *_system(asset, now)]
    if tickets:
        points = min(_MOST_BY_TICKETS, _PER_TICKET * len(tickets))
        faults.append(Fault("tickets", points, f"{counted(len(tickets), 'ticket')} in the last 90 days."))
    return Health(asset, sorted(faults, key=lambda fault: (-fault.points, fault.rule)))


def _reachable(asset: Row, now: datetime) -> Iterable[Fault]:
    if asset["maintenanceMode"]:
        return
    if points := _STATUS.get(asset["status"], 0):
        yield Fault("status", points, f"It is {asset['status']}.")
    # While it is reached nobody tells each time that it was seen.
    if asset["status"] in _REACHED:
        return
    seen = times.instant(asset["lastSeenAt"])
    if seen is not None:
        unseen = now - seen
        for span, points in _UNSEEN:
            if unseen >= span:
                yield Fault("unseen", points, f"Last seen {times.in_words(unseen)} ago.")
                return


def _alerts(alerts: Sequence[Row]) -> Iterable[Fault]:
    left = _MOST_BY_ALERTS
    for severity, each in _ALERT.items():
        found = [alert for alert in alerts if alert["severity"] == severity]
        points = min(left, each * len(found))
        if points:
            left -= points
            what = ", ".join(str(alert["rule"] or alert["title"]) for alert in found[:3])
            yield Fault(
                f"{severity} alerts", points, f"{counted(len(found), 'open alert')} of severity {severity}: {what}."
            )


def _lifetime(asset: Row, now: datetime) -> Iterable[Fault]:
    today = now.date()
    ends = times.day(asset["warrantyExpiresOn"])
    if ends is not None and ends < today:
        yield Fault("warranty ended", _WARRANTY_ENDED, f"Its warranty ended on {ends}.")
    elif ends is not None and ends - today <= _WARRANTY_SOON:
        yield Fault("warranty ends", _WARRANTY_ENDS, f"Its warranty ends on {ends}.")
    bought, life = times.day(asset["purchaseDate"]), _LIFE.get(asset["type"])
    if bought is None or life is None:
        return
    years = (today - bought) / _YEAR
    if years >= life:
        yield Fault("age", _OLD, f"Bought on {bought}, {years:.1f} years ago; usually replaced after {life}.")
    elif years >= life - 1:
        yield Fault("age", _AGEING, f"Bought on {bought}; due for replacement within a year.")


def _system(asset: Row, now: datetime) -> Iterable[Fault]:
    ends, today = support_ends(asset["operatingSystem"]), now.date()
    if ends is None:
        return
    if ends < today:
        yield Fault("unsupported system", _UNSUPPORTED, f"{asset['operatingSystem']} has had no updates since {ends}.")
    elif ends - today <= _SUPPORT_SOON:
        yield Fault("support ends", _SUPPORT_ENDS, f"{asset['operatingSystem']} gets no updates after {ends}.")
