"""What the demo workspace is made of. The same every time: all choices come from one seeded generator."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

DAYS = 90
TICKETS = 300
TECHNICIANS = ("amira.haddad", "ben.okafor", "chiara.romano", "david.lindqvist", "elena.petrova")

# name, short name, industry, city, country, currency, hourly rate, status
CLIENTS = (
    ("Alder & Finch Solicitors", "ALDER", "Legal", "Bristol", "GB", "GBP", "95.00", "active"),
    ("Bergmann Präzisionstechnik GmbH", "BERG", "Manufacturing", "Stuttgart", "DE", "EUR", "110.00", "active"),
    ("Bluewater Dental Group", "BLUE", "Healthcare", "Galway", "IE", "EUR", "88.00", "active"),
    ("Carrick Freight", "CARR", "Logistics", "Cork", "IE", "EUR", "80.00", "active"),
    ("Copperline Brewing", "COPP", "Food and drink", "Leeds", "GB", "GBP", "75.00", "active"),
    ("Dumas Architectes", "DUMAS", "Architecture", "Lyon", "FR", "EUR", "98.00", "active"),
    ("Eastgate Primary School", "EAST", "Education", "Norwich", "GB", "GBP", "60.00", "active"),
    ("Fjord Seafood AS", "FJORD", "Food and drink", "Bergen", "NO", "NOK", "1150.00", "active"),
    ("Greenfield Veterinary Clinic", "GREEN", "Healthcare", "Exeter", "GB", "GBP", "78.00", "active"),
    ("Hartmann Steuerberatung", "HART", "Accounting", "Köln", "DE", "EUR", "105.00", "active"),
    ("Ivy Lane Property Management", "IVY", "Real estate", "Bath", "GB", "GBP", "82.00", "active"),
    ("Jansen Bouw BV", "JANS", "Construction", "Utrecht", "NL", "EUR", "92.00", "active"),
    ("Kestrel Outdoor", "KEST", "Retail", "Keswick", "GB", "GBP", "72.00", "active"),
    ("Lumen Studio", "LUMEN", "Media", "Berlin", "DE", "EUR", "99.00", "active"),
    ("Mistral Hotels", "MIST", "Hospitality", "Marseille", "FR", "EUR", "90.00", "active"),
    ("Northwind Charity", "NORTH", "Non-profit", "Glasgow", "GB", "GBP", "55.00", "active"),
    ("Orchard Farm Shops", "ORCH", "Retail", "Hereford", "GB", "GBP", "70.00", "suspended"),
    ("Pemberton Wealth", "PEMB", "Finance", "London", "GB", "GBP", "140.00", "active"),
    ("Quayside Gym", "QUAY", "Leisure", "Newcastle", "GB", "GBP", "65.00", "onboarding"),
    ("Rosario Imports", "ROSA", "Wholesale", "Porto", "PT", "EUR", "76.00", "prospect"),
)

# category, priority, subject, description, resolution
_WORK = (
    ("Email", "medium", "Outlook asks for the password again and again", "Started after the password change on Monday.",
     "Removed the stale credential from Credential Manager and signed in again."),
    ("Email", "high", "Mail to one supplier bounces", "550 5.7.1, SPF check failed according to the bounce.",
     "Added the new relay to the SPF record; delivery confirmed."),
    ("Email", "low", "Please set up a shared mailbox for accounts", "Owner: office manager. Members: finance team.",
     "Created the shared mailbox and delegated it."),
    ("Network", "critical", "Internet down at the head office", "Router shows no WAN link since 08:10.",
     "Provider had a fibre cut; failed over to LTE and back after the repair."),
    ("Network", "medium", "Wi-Fi drops in the meeting rooms", "Video calls freeze, worst in the afternoon.",
     "Moved two access points to other channels and lowered transmit power."),
    ("Network", "high", "VPN connects but no file shares", "Split tunnel; DNS suffix missing on the client.",
     "Pushed the DNS suffix by policy; shares resolve again."),
    ("Hardware", "medium", "Laptop battery swollen", "Touchpad is being pushed up.",
     "Device swapped from stock; battery sent for recycling."),
    ("Hardware", "low", "Second monitor for a new colleague", "27 inch, USB-C with charging.",
     "Delivered and connected."),
    ("Hardware", "high", "Label printer does not print in dispatch", "Orders are piling up; red light blinks.",
     "Replaced the print head and re-calibrated the media sensor."),
    ("Server", "critical", "File server out of space", "Volume D: has 0 bytes left, users cannot save.",
     "Removed old shadow copies, extended the volume by 500 GB, alert threshold set to 85 %."),
    ("Server", "high", "Backup failed two nights in a row", "Repository reports a locked file.",
     "Cleared the lock, ran an active full backup, restore of one file tested."),
    ("Server", "medium", "Terminal server is slow after 14:00", "CPU at 100 %, scanner indexing job suspected.",
     "Moved the indexing job to the night."),
    ("Security", "critical", "User clicked a phishing link", "Entered the password on a fake sign-in page.",
     "Password reset, sessions revoked, sign-in logs checked; no mailbox rules found."),
    ("Security", "medium", "MFA for a new phone", "Old phone was lost on the train.",
     "Old method removed, new authenticator registered, device wiped."),
    ("Security", "high", "Antivirus reports a quarantined file", "Macro document in the downloads folder.",
     "File confirmed as malicious, host scanned offline, clean."),
    ("Software", "low", "Install the PDF editor", "Licence is in the portal.", "Installed by policy."),
    ("Software", "medium", "Accounting software cannot reach its database", "Since the update last night.",
     "Firewall rule for the new service port added."),
    ("Software", "high", "Till software crashes when a voucher is used", "Reproducible on both tills.",
     "Vendor hotfix installed on both tills."),
    ("Onboarding", "medium", "New starter next Monday", "Laptop, mail, phone extension, building access.",
     "Account and device handed over on the first day."),
    ("Offboarding", "medium", "Leaver on Friday", "Keep the mailbox for 90 days, forward to the manager.",
     "Account disabled, mailbox converted, laptop back in stock."),
    ("Telephony", "medium", "Calls drop after 30 seconds", "Only outbound, only from the branch.",
     "SIP ALG switched off on the branch router."),
    ("Telephony", "low", "Change the holiday greeting", "New text is attached.", "Recorded and scheduled."),
)  # fmt: skip
_PLACES = (
    "reception",
    "finance",
    "the warehouse",
    "the second floor",
    "sales",
    "the workshop",
    "management",
    "the branch",
)
_TAGS = ("vip", "onsite", "remote", "recurring", "after-hours", "warranty")


@dataclass(frozen=True)
class DemoTicket:
    """One ticket: `age` before now it was created; `steps` are the later states with the time since creation."""

    client: int
    subject: str
    description: str
    category: str
    priority: str
    source: str
    tags: tuple[str, ...]
    assignee: str | None
    resolution: str
    age: timedelta
    steps: tuple[tuple[str, timedelta], ...]
    escalated: str | None


def tickets() -> Iterator[DemoTicket]:
    """The tickets, oldest first."""
    choose = random.Random(20_260_101)
    ages = sorted((choose.uniform(0.02, DAYS) for _ in range(TICKETS)), reverse=True)
    for age in ages:
        category, priority, subject, description, resolution = choose.choice(_WORK)
        steps = _steps(choose, age)
        yield DemoTicket(
            client=min(int(choose.expovariate(0.16)), len(CLIENTS) - 1),
            subject=f"{subject} ({choose.choice(_PLACES)})",
            description=description,
            category=category,
            priority=priority,
            source=choose.choices(("email", "phone", "portal", "alert", "api"), (40, 25, 20, 10, 5))[0],
            tags=tuple(sorted(choose.sample(_TAGS, choose.choice((0, 0, 1, 2))))),
            assignee=choose.choice(TECHNICIANS) if steps else None,
            resolution=resolution,
            age=timedelta(days=age),
            steps=steps,
            escalated="The client's business has stopped." if len(steps) > 1 and choose.random() < 0.08 else None,
        )


def _steps(choose: random.Random, age: float) -> tuple[tuple[str, timedelta], ...]:
    """States after `new` with hours since creation; what would lie in the future has not happened."""
    path = ["open", "in_progress"]
    path += choose.choices(([], ["waiting_on_client", "in_progress"], ["waiting_on_vendor", "in_progress"]), (6, 3, 1))[
        0
    ]
    path += ["resolved"]
    path += choose.choices((["closed"], ["open", "in_progress", "resolved", "closed"], []), (80, 6, 14))[0]
    hours, steps = 0.0, []
    for state in path:
        hours += choose.expovariate(1 / 72 if state == "closed" else 1 / 30)
        if hours >= age * 24:
            break
        steps.append((state, timedelta(hours=hours)))
    return tuple(steps)
