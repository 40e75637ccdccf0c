"""What words in a ticket tell: what it is about, how urgent it is, how many are hindered.

Weights are relative: 1 is a hint, 2 is telling, 3 nearly settles it. A word in the subject counts twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Cues = Mapping[str, float]


@dataclass(frozen=True)
class Area:
    """What tickets are about. `names`: what providers call it, the first one where they have no name yet; `tier`: the
    level of support that usually solves it."""

    names: tuple[str, ...]
    cues: Cues
    tier: int = 1

    @property
    def name(self) -> str:
        return self.names[0]


AREAS: tuple[Area, ...] = (
    Area(
        ("Email", "mail", "e-mail", "messaging", "exchange"),
        {"outlook": 2, "mail": 2, "mails": 2, "e-mail": 2, "email": 2, "emails": 2, "mailbox*": 2.5, "bounce*": 2,
         "smtp": 2, "spf": 1.5, "dkim": 1.5, "inbox": 1.5, "exchange": 1.5, "distribution list": 2, "calendar": 1},
    ),
    Area(
        ("Network", "networking", "connectivity", "internet"),
        {"internet": 2, "wi-fi": 2.5, "wifi": 2.5, "wlan": 2, "vpn": 2.5, "router": 2, "firewall": 1.5, "switch": 1,
         "wan": 2, "lan": 1, "dns": 1.5, "dhcp": 2, "access point*": 2, "network": 1.5, "fibre": 1.5, "latency": 1.5,
         "packet loss": 2},
        tier=2,
    ),
    Area(
        ("Security", "cybersecurity", "it security"),
        {"phishing": 3, "ransom*": 3, "malware": 3, "virus": 2.5, "antivirus": 2, "hacked": 3, "compromised": 2.5,
         "suspicious": 2, "mfa": 2, "2fa": 2, "two-factor": 2, "authenticator": 1.5, "quarantined": 1.5, "breach": 2.5,
         "spoof*": 2, "scam": 2, "encrypted": 1.5},
        tier=2,
    ),
    Area(
        ("Backup", "backups", "backup and recovery"),
        {"backup*": 3, "restore*": 2, "recovery": 1, "veeam": 2.5, "snapshot*": 1.5, "replication": 1},
        tier=2,
    ),
    Area(
        ("Server", "servers", "infrastructure"),
        {"server": 2, "servers": 2, "domain controller": 3, "active directory": 2, "file share*": 1.5, "volume": 1.5,
         "raid": 2, "hypervisor": 2.5, "esxi": 2.5, "hyper-v": 2.5, "vmware": 2, "terminal server": 2, "rds": 1.5,
         "out of space": 2},
        tier=2,
    ),
    Area(
        ("Printing", "printers", "printer"),
        {"print": 2, "prints": 2, "printing": 2.5, "printer*": 3, "toner": 3, "scanner": 1.5, "paper jam": 3},
    ),
    Area(
        ("Hardware", "devices", "workstations"),
        {"laptop*": 1.5, "monitor*": 2, "keyboard": 2, "mouse": 2, "battery": 2, "docking": 2, "dock": 1.5,
         "screen": 1, "headset": 2, "webcam": 2, "charger": 2, "disk": 1, "ssd": 1.5, "blue screen": 2, "fan": 1,
         "printer*": 0.75, "desktop": 1, "notebook": 1.5},
    ),
    Area(
        ("Telephony", "phones", "voip", "voice"),
        {"phone*": 1.5, "call": 0.5, "calls": 1.5, "voicemail": 3, "sip": 2.5, "voip": 3, "extension": 1.5,
         "greeting": 2, "hunt group": 3, "dial*": 1.5},
    ),
    Area(
        ("Onboarding", "new starter", "joiners"),
        {"new starter*": 3, "new hire*": 3, "new employee*": 3, "new colleague*": 0.75, "onboard*": 3, "joiner*": 3,
         "first day": 1.5, "starts on": 2},
    ),
    Area(
        ("Offboarding", "leavers", "leaver"),
        {"leaver*": 3, "leaving": 1.5, "offboard*": 3, "last day": 2, "left the company": 3, "terminate*": 1.5},
    ),
    Area(
        ("Access", "accounts", "identity", "account"),
        {"password": 2, "locked out": 3, "account": 1, "login": 1.5, "log in": 1.5, "sign in": 1.5, "permission*": 2,
         "access denied": 2.5, "access to": 1.5, "reset": 1, "unlock*": 2},
    ),
    Area(
        ("Software", "applications", "application"),
        {"install*": 1.5, "licence*": 2, "license*": 2, "software": 2, "excel": 2, "word document": 1, "teams": 1.5,
         "sharepoint": 1.5, "onedrive": 1.5, "update": 0.5, "crash*": 1, "application": 1.5, "app": 1, "erp": 2,
         "plugin": 1.5, "add-in": 1.5, "error message": 0.5, "pdf": 1},
    ),
)  # fmt: skip

# Above 0: it cannot wait. Below 0: it can.
URGENCY: Cues = {
    "down": 2, "outage": 3, "cannot work": 3, "can't work": 3, "cannot save": 2, "cannot log in": 2,
    "cannot sign in": 2, "not working": 1, "does not work": 1, "doesn't work": 1, "stopped": 1, "stopped working": 1,
    "urgent": 1.5, "urgently": 1.5, "asap": 1.5, "immediately": 1.5, "emergency": 2.5, "crash*": 1,
    "unreachable": 2, "offline": 1.5, "piling up": 2, "standstill": 3, "production": 1, "deadline": 1.5,
    "payroll": 1, "failed": 0.75, "out of space": 2, "0 bytes": 2, "ransom*": 3, "hacked": 3, "compromised": 2.5,
    "phishing link": 2.5, "data loss": 2.5, "malicious": 1.5, "swollen": 1.5, "smoke": 3, "bounce*": 0.75,
    "cannot": 0.75, "can't": 0.75,
    "question": -1.5, "how do i": -1.5, "how to": -1, "when you have time": -3, "no hurry": -3, "no rush": -3,
    "not urgent": -4, "whenever": -1.5, "next week": -1.5, "next month": -2, "next monday": -1, "would like": -1,
    "please set up": -1.5, "request": -1, "cosmetic": -2, "nice to have": -3, "second monitor": -1.5, "greeting": -1,
    "quote for": -1.5, "install*": -0.75, "new colleague": -1, "feature": -1, "wallpaper": -2,
}  # fmt: skip

# Who is hindered: all of them, several, or one.
WIDE: Cues = {
    "everyone": 3, "everybody": 3, "nobody": 3, "no one": 3, "all users": 3, "all staff": 3, "whole office": 3,
    "entire office": 3, "whole company": 3, "whole site": 3, "head office": 2, "all sites": 3, "company-wide": 3,
    "the entire": 1.5, "all of us": 3, "internet down": 2, "no internet": 2, "server down": 2,
}  # fmt: skip
SEVERAL: Cues = {
    "users": 1.5, "colleagues": 1.5, "department": 2, "the team": 1.5, "our team": 2, "several": 1.5, "both": 1,
    "meeting rooms": 1.5, "orders": 1.5, "dispatch": 1.5, "customers": 1.5, "shared": 0.5, "server": 1, "tills": 2,
    "finance team": 1, "branch": 1, "warehouse": 1,
}  # fmt: skip

# What business stands on.
SERVICES: Mapping[str, str] = {
    "erp": "ERP", "till*": "tills", "checkout": "tills", "payroll": "payroll", "invoic*": "invoicing",
    "accounting": "accounting", "orders": "orders", "dispatch": "dispatch", "production": "production",
    "phone*": "telephony", "mail": "mail", "e-mail": "mail", "email": "mail", "outlook": "mail",
    "internet": "internet access", "vpn": "remote access", "file server": "file server", "file share*": "file server",
    "backup*": "backup", "domain controller": "sign-in", "database": "database", "web shop": "web shop",
    "website": "website",
}  # fmt: skip

# With any of these in it a ticket is not left below high: the harm grows by the minute.
SECURITY_INCIDENT: Cues = {
    "ransom*": 3, "hacked": 3, "compromised": 2.5, "phishing link": 3, "clicked a phishing": 3, "malicious": 2,
    "data breach": 3, "stolen": 2, "encrypted files": 3, "files are encrypted": 3, "entered the password": 2.5,
    "unknown sign-in": 2,
}  # fmt: skip
