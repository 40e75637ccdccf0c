"""Tickets as they come in at a provider, and how such tickets were solved."""

from services.agent_runtime.tests.rows import Row, row, uid

ACME, BLUE, CEDAR = uid(1), uid(2), uid(3)
_SOLVED = (
    ("Email", "medium", 1, "Outlook asks for the password again and again", "Since the password change on Monday.",
     "Removed the stale credential from Credential Manager."),
    ("Email", "high", 1, "Mail to a supplier bounces", "550 5.7.1, SPF check failed according to the bounce.",
     "Added the relay to the SPF record."),
    ("Network", "critical", 2, "Internet down at head office", "Router shows no WAN link.",
     "Fibre cut; failed over to LTE and back."),
    ("Network", "medium", 1, "Wi-Fi drops in the meeting rooms", "Video calls freeze.",
     "Moved two access points to other channels."),
    ("Hardware", "medium", 1, "Laptop battery swollen", "Touchpad is being pushed up.", "Device swapped from stock."),
    ("Hardware", "high", 1, "Label printer does not print in dispatch", "Orders are piling up.",
     "Replaced the print head."),
    ("Server", "critical", 2, "File server out of space", "Volume D: has 0 bytes left, users cannot save.",
     "Removed old shadow copies, extended the volume."),
    ("Server", "high", 2, "Backup failed two nights in a row", "Repository reports a locked file.",
     "Cleared the lock, ran a full backup."),
    ("Security", "critical", 2, "User clicked a phishing link", "Entered the password on a fake sign-in page.",
     "Password reset, sessions revoked, logs checked."),
    ("Software", "low", 1, "Install the PDF editor", "Licence is in the portal.", "Installed by policy."),
    ("Onboarding", "medium", 1, "New starter next Monday", "Laptop, mail, phone extension.",
     "Account and device handed over."),
    ("Telephony", "medium", 1, "Calls drop after 30 seconds", "Only outbound.", "SIP ALG switched off on the router."),
)  # fmt: skip
# Subject, description, the category expected, the priorities that are right, tags expected.
CASES: tuple[tuple[str, str, str, tuple[str, ...], set[str]], ...] = (
    ("Outlook keeps asking for my password", "Since I changed it this morning.", "Email", ("medium",), set()),
    ("E-mails to customers bounce", "550 SPF failure on each of them", "Email", ("medium", "high"), set()),
    ("Internet is down, nobody can work", "Whole office, router without a link", "Network", ("critical",), {"outage"}),
    ("Wi-Fi in the meeting room is slow", "Calls freeze in the afternoon", "Network", ("medium",), set()),
    ("VPN does not connect from home", "Says timeout, I cannot work", "Network", ("high", "medium"), set()),
    ("Laptop battery is swollen", "The touchpad sticks out", "Hardware", ("medium", "high"), set()),
    ("Second monitor for a new colleague", "No hurry, USB-C please", "Hardware", ("low",), set()),
    ("Label printer in dispatch stopped printing", "Orders are piling up, red light", "Hardware", ("high",), set()),
    ("File server out of space", "Users cannot save, D: has 0 bytes", "Server", ("high", "critical"), set()),
    ("Backup failed again last night", "Repository locked file error", "Server", ("medium", "high"), set()),
    ("I clicked a phishing link", "And entered the password", "Security", ("high", "critical"), {"security-incident"}),
    ("RANSOMWARE note on all desktops", "Everyone sees it, files are encrypted", "Security", ("critical",),
     {"security-incident", "outage"}),
    ("Please install the PDF editor", "Licence is in the portal, when you have time", "Software", ("low",), set()),
    ("New starter on 1 April", "Laptop, mail and a phone extension", "Onboarding", ("medium", "low"), set()),
    ("Outbound calls drop after half a minute", "Since the router update", "Telephony", ("medium",), set()),
    ("Change the holiday greeting on the phone", "New text is attached, next week is fine", "Telephony", ("low",),
     set()),
)  # fmt: skip


def solved(*, categorized: bool = True) -> list[Row]:
    """Tickets that were solved this month, of two clients in turns."""
    return [
        row(
            "tickets",
            100 + place,
            number=f"T-{1000 + place}",
            subject=subject,
            description=description,
            resolution=resolution,
            clientId=(ACME, BLUE)[place % 2],
            status=("closed", "resolved")[place % 3 == 0],
            category=category if categorized else None,
            priority=priority,
            tier=tier,
            createdAt="2026-03-01T08:00:00Z",
            resolvedAt="2026-03-02T09:00:00Z",
        )
        for place, (category, priority, tier, subject, description, resolution) in enumerate(_SOLVED)
    ]


def new(subject: str, description: str | None = None, **fields: object) -> Row:
    """A ticket of Acme that nobody has looked at."""
    standing = {"clientId": ACME, "status": "new", "priority": "medium", "tier": 1, "number": "T-2000", **fields}
    return row("tickets", 1, subject=subject, description=description, createdAt="2026-03-18T09:00:00Z", **standing)
