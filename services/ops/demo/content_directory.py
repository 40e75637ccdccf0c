"""The people and the equipment of the clients. The same every time: choices come from generators with fixed seeds."""

import random
import unicodedata
from dataclasses import dataclass
from functools import cache

from services.ops.demo.content_clients import CLIENTS, DemoClient

_NAMES = {
    "DE": (("Anna", "Jürgen", "Katrin", "Stefan", "Miriam", "Tobias"),
           ("Bergmann", "Hoffmann", "Krüger", "Schreiber", "Vogt", "Wagner")),
    "FR": (("Camille", "Étienne", "Léa", "Mathieu", "Nadia", "Olivier"),
           ("Blanchard", "Dumas", "Garnier", "Lefèvre", "Mercier", "Roussel")),
    "GB": (("Alice", "Daniel", "Fiona", "George", "Harriet", "Imran", "Priya", "Tom", "Victoria", "Winston"),
           ("Ashworth", "Barker", "Chaudhry", "Dawson", "Ellison", "Fletcher", "Grant", "Hughes", "Patel",
            "Whitfield")),
    "IE": (("Aoife", "Cormac", "Declan", "Gráinne", "Niamh", "Seán"),
           ("Byrne", "Gallagher", "Kavanagh", "Moran", "O'Sullivan", "Walsh")),
    "NL": (("Anouk", "Bram", "Joost", "Marieke", "Sander"), ("Bakker", "Jansen", "de Vries", "van Dijk", "Visser")),
    "NO": (("Astrid", "Eirik", "Ingrid", "Magnus", "Solveig"), ("Berg", "Haugen", "Lund", "Nilsen", "Solheim")),
    "PT": (("Beatriz", "Inês", "Rui", "Tiago"), ("Almeida", "Ferreira", "Lopes", "Rosário")),
}  # fmt: skip
_ROLES = (
    ("Office manager", "Administration"),
    ("Bookkeeper", "Finance"),
    ("IT coordinator", "Operations"),
    ("Managing director", "Management"),
)

# type, code in host names, manufacturer, model, operating system, years of warranty
_LAPTOPS = (
    ("laptop", "LT", "Lenovo", "ThinkPad T14 Gen 4", "Windows 11 Pro", 3),
    ("laptop", "LT", "Dell", "Latitude 5440", "Windows 11 Pro", 3),
    ("laptop", "LT", "HP", "EliteBook 840 G10", "Windows 11 Pro", 3),
    ("laptop", "LT", "Apple", "MacBook Pro 14 (M3)", "macOS 14", 3),
    ("workstation", "WS", "Dell", "OptiPlex 7010", "Windows 11 Pro", 3),
    ("workstation", "WS", "HP", "Z2 Tower G9", "Windows 11 Pro for Workstations", 3),
    ("workstation", "WS", "Lenovo", "ThinkCentre M70q", "Windows 10 Pro", 3),
)
_SHARED = (
    ("network_device", "FW", "Fortinet", "FortiGate 60F", "FortiOS 7.4", 3),
    ("server", "SRV", "Dell", "PowerEdge T350", "Windows Server 2022", 5),
    ("printer", "PRN", "HP", "LaserJet Pro MFP 4102", None, 1),
    ("network_device", "SW", "Cisco", "CBS350-24P", None, 3),
    ("virtual_machine", "VM", "Microsoft", "Hyper-V guest", "Windows Server 2019", 0),
    ("network_device", "AP", "Ubiquiti", "U6 Pro", None, 2),
    ("mobile", "MOB", "Samsung", "Galaxy Tab Active4 Pro", "Android 14", 2),
)
# lifecycle, status, share; what is out of use is retired in both.
_STATES = (
    ("deployed", "online", 66),
    ("deployed", "offline", 8),
    ("deployed", "degraded", 6),
    ("deployed", "unknown", 2),
    ("maintenance", "offline", 3),
    ("in_stock", "unknown", 4),
    ("ordered", "unknown", 2),
    ("retired", "retired", 6),
    ("disposed", "retired", 3),
)


@dataclass(frozen=True)
class DemoContact:
    name: str
    email: str
    phone: str
    title: str
    department: str
    site: int
    has_left: bool


@dataclass(frozen=True)
class DemoAsset:
    """`bought` and `warranty` in days before and after today; `seen` in hours ago."""

    name: str
    type: str
    manufacturer: str
    model: str
    operating_system: str | None
    serial_number: str
    tag: str
    ip_address: str
    mac_address: str
    site: int
    contact: int | None
    lifecycle: str
    status: str
    bought: int
    warranty: int | None
    seen: float


@cache
def contacts(index: int) -> tuple[DemoContact, ...]:
    """The people of a client: first whom to ask, second who gets the invoices."""
    client, choose = CLIENTS[index], random.Random(7_000 + index)
    given, family = _NAMES[client.country]
    count = 2 + (client.desks > 5) + (client.desks > 9)
    people = zip(choose.sample(given, count), choose.sample(family, count), _ROLES, strict=False)
    return tuple(
        DemoContact(
            name=f"{first} {last}",
            email=f"{_plain(first)}.{_plain(last)}@{client.short.lower()}.example",
            phone=_phone(client, choose),
            title=title,
            department=department,
            site=choose.randrange(len(client.sites)) if place else 0,
            has_left=place == 3 and index % 3 == 0,
        )
        for place, (first, last, (title, department)) in enumerate(people)
    )


@cache
def assets(index: int) -> tuple[DemoAsset, ...]:
    """The equipment of a client, what all use first."""
    client, choose = CLIENTS[index], random.Random(9_000 + index)
    if not client.desks:
        return ()
    shared = _SHARED[: min(len(_SHARED), 2 + client.desks // 3)]
    models = [*shared, *(choose.choice(_LAPTOPS) for _ in range(client.desks * 2 // 5))]
    return tuple(_asset(client, number, model, choose) for number, model in enumerate(models, 1))


def _asset(client: DemoClient, number: int, model: tuple[str, str, str, str, str | None, int], choose: random.Random
) -> DemoAsset:  # fmt: skip
    type_, code, manufacturer, name, system, years = model
    lifecycle, status = choose.choices([each[:2] for each in _STATES], [each[2] for each in _STATES])[0]
    if code in ("FW", "SRV"):
        # Without them the client could not work.
        lifecycle, status = "deployed", "degraded" if number % 5 == 2 and choose.random() < 0.3 else "online"
    if client.status == "offboarded":
        lifecycle, status = "retired", "retired"
    out_of_use = lifecycle in ("retired", "disposed")
    bought = choose.randint(1_400, 2_400) if out_of_use else choose.randint(3, 40 if lifecycle == "ordered" else 1_500)
    personal = code in ("LT", "WS") and lifecycle == "deployed"
    return DemoAsset(
        name=f"{client.short}-{code}-{number:03d}",
        type=type_,
        manufacturer=manufacturer,
        model=name,
        operating_system=system,
        serial_number="".join(choose.choices("BCDFGHJKLMNPQRSTVWXYZ23456789", k=8)),
        tag=f"{client.short}{1000 + number}",
        ip_address=f"10.{CLIENTS.index(client) + 10}.0.{number + 9}",
        mac_address=":".join(["02", *(f"{choose.randrange(256):02x}" for _ in range(5))]),
        site=choose.randrange(len(client.sites)) if code not in ("FW", "SRV") else 0,
        contact=choose.randrange(min(3, len(contacts(CLIENTS.index(client))))) if personal else None,
        lifecycle=lifecycle,
        status=status,
        bought=bought,
        warranty=years * 365 - bought if years else None,
        seen=choose.uniform(30, 400) if status == "offline" else choose.uniform(0.05, 0.9),
    )


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in text if letter.isalpha())


def _phone(client: DemoClient, choose: random.Random) -> str:
    # Ranges that are set aside for fiction where there are any.
    prefix = {"DE": "+49 30 23125", "FR": "+33 1 99 00 ", "GB": "+44 20 7946 0", "IE": "+353 20 911 0",
              "NL": "+31 20 555 0", "NO": "+47 21 55 0", "PT": "+351 22 555 0"}[client.country]  # fmt: skip
    return f"{prefix}{choose.randint(100, 999)}"
