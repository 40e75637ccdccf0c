"""The incidents of the demo workspace."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class DemoIncident:
    """`age` before now it began; `steps` are states, each with hours since then and a note that came with it."""

    title: str
    summary: str
    severity: str
    commander: str
    clients: tuple[str, ...]
    age: timedelta
    steps: tuple[tuple[float, str, str], ...]
    root_cause: str | None = None
    postmortem: str | None = None
    is_caused_by_change: bool = False


INCIDENTS = (
    DemoIncident(
        "File server of two clients unreachable after storage firmware update",
        "Volumes went offline when the second controller took over.",
        "SEV1", "elena.petrova", ("BERG", "HART"), timedelta(days=41),
        (
            (0.3, "investigating", "Both controllers answer, the volumes are read-only."),
            (1.2, "identified", "Known fault of firmware 5.1.2, the vendor has a downgrade."),
            (3.0, "monitoring", "Downgraded, volumes are back, integrity check is running."),
            (9.0, "resolved", "Check is clean. No data was lost."),
            (120.0, "postmortem", "Review held with both clients."),
        ),
        root_cause="Firmware 5.1.2 of the storage controllers loses its cache mirror on failover.",
        postmortem="""## What happened

At 21:10 the planned firmware update reached the second controller. On failover both volumes went read-only. Users at
two clients could not save files for just under three hours.

## What went well

The window was in the evening, and the vendor's hotline answered within ten minutes.

## What will be different

- Storage firmware is installed on our own test array first, and soaks there for a week.
- The runbook for storage updates now has a step that fails over by hand before the second controller is updated.
""",
        is_caused_by_change=True,
    ),
    DemoIncident(
        "Mail delayed for clients behind the shared relay",
        "Outbound mail was queued for up to 90 minutes.",
        "SEV2", "chiara.romano", ("ALDER", "IVY", "PEMB"), timedelta(days=18),
        (
            (0.2, "investigating", "Queue has 4,200 messages; one sender stands out."),
            (0.8, "identified", "A compromised mailbox was sending; the relay throttled everyone."),
            (1.1, "monitoring", "Mailbox blocked, queue is draining."),
            (3.0, "resolved", "Queue is empty, reputation lists are clean."),
        ),
        root_cause="Password reuse on a mailbox that was excluded from multi-factor authentication.",
    ),
    DemoIncident(
        "Fibre cut in Cork, depot on the mobile backup line",
        "The provider's duct was damaged by roadworks.",
        "SEV3", "ben.okafor", ("CARR",), timedelta(days=1.1),
        (
            (0.2, "investigating", "Uplink dead, the backup line took over by itself."),
            (0.6, "identified", "Provider confirms a cut, splicing is planned for tonight."),
            (20.0, "monitoring", "Fibre is spliced, traffic is back on it; watching for a day."),
        ),
    ),
    DemoIncident(
        "Booking system of the hotels is slow",
        "Check-in takes minutes; the database host is under load.",
        "SEV2", "amira.haddad", ("MIST",), timedelta(hours=7),
        (
            (0.4, "investigating", "Load rises with each channel import."),
            (3.5, "identified", "An index was dropped by the vendor's update; they rebuild it tonight."),
        ),
    ),
    DemoIncident(
        "VPN logins fail now and then",
        "About one in ten logins is refused; a second try works.",
        "SEV3", "david.lindqvist", ("FJORD", "JANS"), timedelta(hours=3),
        ((0.5, "investigating", "Only through the second authentication server."),),
    ),
    DemoIncident(
        "Phones of the clinic have no dial tone",
        "Reception uses mobile phones for now.",
        "SEV4", "elena.petrova", ("GREEN",), timedelta(minutes=35), (),
    ),
)  # fmt: skip
