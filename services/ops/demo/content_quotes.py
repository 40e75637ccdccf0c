"""What was offered to the clients of the demo workspace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoQuote:
    """`age` and `valid_days` in days; `lines`: description, quantity, price, how often it recurs, whether optional."""

    client: str
    title: str
    age: float
    valid_days: int
    outcome: str
    lines: tuple[tuple[str, int, str, str, bool], ...]
    answered_after: float = 4.0
    reason: str | None = None


_SERVER = (
    ("Dell PowerEdge T350, 64 GB, 4 × 2 TB", 1, "4280.00", "NONE", False),
    ("Windows Server 2022 with 20 user licences", 1, "1490.00", "NONE", False),
    ("Migration and hand-over, hours", 16, "92.00", "NONE", False),
    ("Second power supply", 1, "210.00", "NONE", True),
)
_WIFI = (
    ("UniFi U6 Pro access point", 6, "159.00", "NONE", False),
    ("Survey, mounting and set-up, hours", 10, "92.00", "NONE", False),
    ("Wi-Fi management", 6, "7.50", "MONTHLY", False),
)
_MDR = (
    ("Managed detection and response, per device", 20, "9.80", "MONTHLY", False),
    ("Set-up, flat rate", 1, "480.00", "NONE", False),
    ("Quarterly review on site", 4, "320.00", "YEARLY", True),
)
_LAPTOPS = (
    ("Lenovo ThinkPad T14 Gen 4, 32 GB, 1 TB", 5, "1390.00", "NONE", False),
    ("Docking station", 5, "189.00", "NONE", False),
    ("Set-up and hand-over", 5, "85.00", "NONE", False),
)
_BACKUP = (
    ("Cloud backup, per TB", 4, "38.00", "MONTHLY", False),
    ("First seed and restore test, hours", 5, "92.00", "NONE", False),
)
_PHONES = (
    ("IP telephone", 9, "118.00", "NONE", False),
    ("Seat in the telephone system", 9, "11.50", "MONTHLY", False),
    ("Porting of numbers", 1, "95.00", "NONE", False),
)

QUOTES = (
    DemoQuote("ALDER", "Detection and response for all devices", 96, 30, "accepted", _MDR),
    DemoQuote("BERG", "Server for the measuring room", 88, 30, "accepted", _SERVER, 9),
    DemoQuote("COPP", "Wi-Fi in the brewing hall", 80, 21, "rejected", _WIFI, 12, "Postponed to next year's budget."),
    DemoQuote("BLUE", "Off-site backup of both practices", 71, 30, "expired", _BACKUP),
    DemoQuote("MIST", "Wi-Fi for the annexe in Cassis", 64, 30, "accepted", _WIFI, 3),
    DemoQuote("IVY", "New telephones", 58, 14, "expired", _PHONES),
    DemoQuote("GREEN", "Laptops for the reception", 49, 30, "rejected", _LAPTOPS, 6, "Bought elsewhere, 8 % cheaper."),
    DemoQuote("JANS", "Server for the workshop", 40, 30, "revised", _SERVER, 10),
    DemoQuote("PEMB", "Detection and response, London and Jersey", 33, 30, "accepted", _MDR, 15),
    DemoQuote("FJORD", "Laptops for the landing station", 20, 45, "accepted", _LAPTOPS, 8),
    DemoQuote("HART", "Off-site backup", 12, 30, "sent", _BACKUP),
    DemoQuote("CARR", "Telephones for the depot", 7, 30, "sent", _PHONES),
    DemoQuote("NORTH", "Laptops for fund-raising", 3, 30, "sent", _LAPTOPS),
    DemoQuote("ROSA", "Start of managed services", 2, 30, "draft", _MDR),
    DemoQuote("QUAY", "Wi-Fi for the gym floor", 0.6, 30, "draft", _WIFI),
)
