"""What the clients of the demo workspace are charged, and how they pay."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from opsfield.ops.v1.contracts_pb2 import ContractLine
from opsfield.ops.v1.invoices_pb2 import InvoiceLine
from services.ops.demo.content_clients import CLIENTS, VAT, DemoClient

MONTHS = 4
AD_HOC = 38
# Clients who pay for work on tickets as it is done, once a month.
BY_TIME = ("ALDER", "BERG", "BLUE")
# Prices are in euro or pound; a Norwegian krone is worth that much less.
_FACTOR = {"NOK": 11}
# What is sold once: description, quantity, price.
_GOODS = (
    (("Lenovo ThinkPad T14 Gen 4, 16 GB, 512 GB", 2, "1149.00"), ("Set-up and hand-over", 2, "85.00")),
    (("Dell U2723QE monitor, 27 inch", 3, "489.00"), ("USB-C cable, 2 m", 3, "14.90")),
    (("Remote support beyond the contract, hours", 3, "92.00"),),
    (("FortiGate 60F with three years of support", 1, "1495.00"), ("Migration of the rules, hours", 6, "92.00")),
    (("On-site work at the weekend, hours", 5, "138.00"), ("Travel, flat rate", 1, "60.00")),
    (("UniFi U6 Pro access point", 4, "159.00"), ("Mounting and survey, hours", 5, "92.00")),
    (("Domain and certificate, one year", 2, "64.00"),),
    (("HP LaserJet toner 59X", 4, "187.50"),),
    (("Data recovery of a notebook disk", 1, "640.00"),),
    (("Security awareness training, per person", 12, "29.00"), ("Phishing simulation, flat rate", 1, "220.00")),
)


@dataclass(frozen=True)
class DemoContract:
    """`months` before this one it was taken on; `ended`: months ago its last day was; `becomes`: a later state, and how
    many days ago."""

    client: int
    name: str
    type: str
    months: int
    lines: tuple[ContractLine, ...]
    auto_issue: bool = True
    ended: int | None = None
    is_draft: bool = False
    included_minutes: int | None = None
    becomes: tuple[str, int] | None = None


@dataclass(frozen=True)
class DemoInvoice:
    """Something sold once, `age` before now. `fate` as `fate` says, or `draft`, `reissued`,
    or `pending` (a payment is under way)."""

    client: int
    lines: tuple[InvoiceLine, ...]
    age: timedelta
    fate: str


def contracts() -> list[DemoContract]:
    """In the order in which they were made."""
    made = []
    for index, client in enumerate(CLIENTS):
        match client.short:
            case "LUMEN":
                line = _contract_line(client, "Block of 20 hours", 20, "88.00")
                made.append(DemoContract(index, "Block of hours", "BLOCK_HOURS", 3, (line,), included_minutes=1_200))
            case "EAST":
                made.append(
                    DemoContract(index, "Managed services (first year)", "RECURRING", 4, _managed(client), ended=2)
                )
                made.append(DemoContract(index, "Managed services", "RECURRING", 1, _managed(client)))
            case "ORCH":
                became = ("suspended", 10)
                made.append(DemoContract(index, "Managed services", "RECURRING", 3, _managed(client), becomes=became))
            case "KEST":
                became = ("terminated", 28)
                made.append(DemoContract(index, "Managed services", "RECURRING", 3, _managed(client), becomes=became))
            case "QUAY" | "ROSA":
                made.append(DemoContract(index, "Managed services", "RECURRING", 0, _managed(client), is_draft=True))
            case _:
                made.append(
                    DemoContract(
                        index,
                        "Managed services",
                        "RETAINER" if client.short == "PEMB" else "RECURRING",
                        MONTHS - 1,
                        _managed(client),
                        auto_issue=client.short not in ("NORTH", "DUMAS"),
                        included_minutes=600 if client.short == "PEMB" else None,
                    )
                )
    return made


def invoices() -> list[DemoInvoice]:
    """What was sold once, oldest first."""
    choose = random.Random(4_711)
    served = [index for index, each in enumerate(CLIENTS) if each.status == "active"]
    made = [
        DemoInvoice(
            client := choose.choice(served),
            sold(CLIENTS[client], choose),
            timedelta(days=choose.uniform(2, 115)),
            fate(choose),
        )
        for _ in range(AD_HOC - 8)
    ]
    # Whoever was suspended has not paid for long.
    late = next(index for index, each in enumerate(CLIENTS) if each.status == "suspended")
    made += [DemoInvoice(late, sold(CLIENTS[late], choose), timedelta(days=age), "unpaid") for age in (128, 92, 61, 33)]
    made += [
        DemoInvoice(0, sold(CLIENTS[0], choose), timedelta(days=38), "reissued"),
        DemoInvoice(1, sold(CLIENTS[1], choose), timedelta(days=9), "pending"),
        DemoInvoice(3, sold(CLIENTS[3], choose), timedelta(days=26), "partial"),
        DemoInvoice(7, sold(CLIENTS[7], choose), timedelta(hours=20), "draft"),
    ]
    return sorted(made, key=lambda each: each.age, reverse=True)


def fate(choose: random.Random) -> str:
    """What becomes of an invoice: paid, late (paid after its day), partial, or unpaid."""
    return choose.choices(("paid", "late", "partial", "unpaid"), (74, 17, 5, 4))[0]


def sold(client: DemoClient, choose: random.Random) -> tuple[InvoiceLine, ...]:
    """Lines of something sold once."""
    return tuple(
        InvoiceLine(
            description=description,
            quantity=str(quantity),
            unit_price=price_in(client, price),
            tax_percent=VAT[client.country],
        )
        for description, quantity, price in choose.choice(_GOODS)
    )


def worked(client: DemoClient, month: str, minutes: int, entry_ids: Sequence[str]) -> InvoiceLine:
    """A line for the work of a month, which is "2026-05"."""
    return InvoiceLine(
        description=f"Support in {month}, hours, by the attached time entries",
        quantity=str(Decimal(minutes) / 60),
        unit_price=client.hourly_rate,
        tax_percent=VAT[client.country],
        time_entry_ids=entry_ids,
    )


def price_in(client: DemoClient, price: str) -> str:
    """A price in the client's currency."""
    return str(Decimal(price) * _FACTOR.get(client.currency, 1))


def first_of(day: date, months_before: int) -> date:
    """The first day of the month that many months before."""
    year, month = divmod(day.year * 12 + day.month - 1 - months_before, 12)
    return date(year, month + 1, 1)


def _managed(client: DemoClient) -> tuple[ContractLine, ...]:
    desks = client.desks or 8
    lines = [
        _contract_line(client, "Managed workstation", desks, "34.00"),
        _contract_line(client, "Microsoft 365 Business Premium", desks, "20.60"),
        _contract_line(client, "Firewall management", len(client.sites), "65.00"),
    ]
    if desks > 5:
        lines.append(_contract_line(client, "Managed server with backup", 1 + desks // 12, "149.00"))
    if client.industry == "Non-profit":
        for line in lines:
            line.discount_percent = "15"
    return tuple(lines)


def _contract_line(client: DemoClient, description: str, quantity: int, price: str) -> ContractLine:
    return ContractLine(
        description=description,
        quantity=str(quantity),
        unit_price=price_in(client, price),
        tax_percent=VAT[client.country],
    )
