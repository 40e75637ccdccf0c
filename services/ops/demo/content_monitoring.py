"""What monitoring notices in the demo workspace, and the incidents that came of it."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from opsfield.ops.v1.alerts_pb2 import Alert, AlertLabel
from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_directory import DemoAsset, assets

ALERTS = 60
# Tickets that are opened from an alert of these.
TICKETS_MADE = 2
# rule: types of asset, severity, source, what it watches on one asset, title after the asset's name, description
_RULES = {
    "wan-link": (("network_device",), "CRITICAL", "uptime", "wan1", "no link on the uplink",
                 "Ping to the provider's gateway fails from three places."),
    "disk-free": (("server", "virtual_machine"), "HIGH", "edge-agent", "D:", "less than 5 % free on D:",
                  "Free space has gone down by 40 GB since yesterday."),
    "backup-job": (("server",), "HIGH", "backup", "nightly", "nightly backup failed",
                   "The job ended with an error; the last good restore point is two days old."),
    "cpu-load": (("server", "virtual_machine"), "WARNING", "edge-agent", None, "CPU above 95 % for 15 minutes",
                 "Load is from one process, see the label."),
    "printer-state": (("printer",), "WARNING", "edge-agent", None, "printer reports an error",
                      "The device asks for service."),
    "certificate-expiry": (("server", "network_device"), "WARNING", "uptime", "https", "certificate ends in 10 days",
                           "The certificate of the web interface is not renewed by itself."),
    "patch-level": (("laptop", "workstation", "server"), "INFO", "edge-agent", None, "updates pending for 30 days",
                    "Restart needed to finish the updates."),
    "antivirus-state": (("laptop", "workstation"), "HIGH", "edge-agent", None, "antivirus signatures are outdated",
                        "Signatures are older than seven days."),
    "disk-health": (("laptop", "workstation", "server"), "HIGH", "edge-agent", "disk 0",
                    "disk reports reallocated sectors",
                    "SMART attribute 5 has risen three times this week."),
    "host-down": (("server", "network_device", "virtual_machine"), "CRITICAL", "uptime", None, "does not answer",
                  "Five checks in a row without an answer."),
}  # fmt: skip
# How those that no ticket answers stand, in turns: most are over.
_STANDING = ("resolved", "resolved", "firing", "resolved", "acknowledged", "resolved", "resolved", "suppressed")


@dataclass(frozen=True)
class DemoAlert:
    """`age` before now it first fired, of the asset `asset` of client `client`. `repeats`: further signals while it
    lasted; `flaps`: fired again right after it was over; `recurs`: fired anew a day after that, as another alert."""

    client: int
    asset: int
    rule: str
    status: str
    age: timedelta
    repeats: int = 0
    flaps: bool = False
    recurs: bool = False
    gets_ticket: bool = False


def alert(rule: str, asset: DemoAsset, *, client_id: str, asset_id: str, status: str = "FIRING") -> Alert:
    """What monitoring sends when a rule is violated."""
    _, severity, source, instance, title, description = _RULES[rule]
    return Alert(
        source=source,
        rule=rule,
        instance=instance,
        severity=severity,
        title=f"{asset.name}: {title}",
        description=description,
        asset_id=asset_id,
        client_id=client_id,
        status=status,
        labels=[AlertLabel(name="host", value=asset.name.lower()), AlertLabel(name="team", value="operations")],
    )


def alerts(taken: Collection[tuple[int, int, str]]) -> list[DemoAlert]:
    """Alerts that came of no ticket, oldest first: as many as make up the whole with `taken` (client, asset, rule),
    which are left out."""
    choose = random.Random(60_606)
    places = [
        (client, place, rule)
        for client, each in enumerate(CLIENTS)
        if each.status in ("active", "onboarding")
        for place, asset in enumerate(assets(client))
        if asset.lifecycle == "deployed"
        for rule, (types, *_) in _RULES.items()
        if asset.type in types and (client, place, rule) not in taken
    ]
    recurring = 2
    count = ALERTS - len(taken) - recurring
    ages = sorted((choose.uniform(0.05, 30) for _ in range(count)), reverse=True)
    made: list[DemoAlert] = []
    for number, (age, (client, asset, rule)) in enumerate(zip(ages, choose.sample(places, count), strict=True)):
        status = _STANDING[number % len(_STANDING)]
        recurs = status == "resolved" and age > 5 and sum(each.recurs for each in made) < recurring
        made.append(
            DemoAlert(
                client,
                asset,
                rule,
                status,
                # What is still open began not long ago.
                timedelta(days=age if status == "resolved" else age / 6),
                repeats=choose.choice((0, 0, 0, 1, 3, 6)),
                flaps=status == "resolved" and not recurs and number % 9 == 1,
                recurs=recurs,
                gets_ticket=status == "acknowledged" and sum(each.gets_ticket for each in made) < TICKETS_MADE,
            )
        )
    return made
