"""What any books have to do for a sync, and what they are given and give back. Amounts are exact decimals, days are
written as in the API: `2026-02-28`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol


@dataclass(frozen=True)
class Customer:
    """A client. `address`: `line1`, `line2`, `city`, `region`, `postal_code`, `country`, those that there are."""

    id: str
    name: str
    email: str | None
    phone: str | None
    tax_id: str | None
    address: dict[str, str]


@dataclass(frozen=True)
class InvoiceLine:
    """`net`: after the discount. `quantity` times `unit_price` is what it was before."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    net: Decimal
    tax: Decimal
    tax_percent: Decimal


@dataclass(frozen=True)
class Invoice:
    """An invoice that was issued; `voided_on` once it is void."""

    id: str
    number: str
    client_id: str
    issued_on: str
    due_on: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    tax: Decimal
    total: Decimal
    voided_on: str | None


@dataclass(frozen=True)
class Refund:
    amount: Decimal
    refunded_on: str


@dataclass(frozen=True)
class Payment:
    """Money that was received. `refunds`: oldest first. `provider`: where it came to us from, if from somewhere."""

    id: str
    invoice_id: str
    client_id: str
    amount: Decimal
    currency: str
    received_on: str
    reference: str | None
    provider: str | None
    refunds: tuple[Refund, ...]

    @property
    def kept(self) -> Decimal:
        """What was not given back."""
        return self.amount - sum((each.amount for each in self.refunds), Decimal(0))


@dataclass(frozen=True)
class Link:
    """Something of ours and what it is there. `sent`: as the other side was last told (or told us, when `incoming`);
    `version`: as it numbers what it has."""

    resource_id: str
    external_id: str
    sent: dict[str, Any]
    version: str | None = None
    incoming: bool = False


@dataclass(frozen=True)
class Posting:
    """A line of an entry: a debit when `amount` is more than zero, a credit when it is less."""

    account: str
    amount: Decimal
    tax_percent: Decimal | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of the journal. Its postings come to zero."""

    event: str
    date: str
    currency: str
    description: str
    client_id: str
    invoice_id: str
    invoice_number: str
    payment_id: str | None
    postings: tuple[Posting, ...]


@dataclass(frozen=True)
class Sent:
    """What became of something that was sent. `entries`: what the journal gets. `total`: what an invoice comes to
    there."""

    external_id: str
    version: str | None = None
    entries: tuple[Entry, ...] = ()
    total: Decimal | None = None


class RefusedError(Exception):
    """The other side has something else, or does not take it: for a person to look at. `code` as conflicts have it."""

    def __init__(self, code: str, message: str, *, ours: str | None = None, theirs: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.ours = ours
        self.theirs = theirs


@dataclass(frozen=True)
class Incoming:
    """A payment that was recorded there, or the part of one that is for one invoice. `source`: as ops names its
    provider; `external_id`: the same whenever it is told, `<payment>/<part>` of a part. Its invoice is named by our
    number or by its id there. `is_ours`: we have sent it. `is_deleted`: with all its parts. `problem`: why it cannot be
    read."""

    source: str
    external_id: str
    amount: str = ""
    received_on: str = ""
    currency: str | None = None
    reference: str | None = None
    invoice_number: str | None = None
    invoice_external_id: str | None = None
    is_ours: bool = False
    is_deleted: bool = False
    problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class InvoiceThere:
    """An invoice as it is there."""

    external_id: str
    total: Decimal
    is_void: bool


@dataclass(frozen=True)
class Place:
    """How far changes have been read: the next ones are those since `reached`, less so many pages of them."""

    reached: datetime
    page: int = 0


@dataclass(frozen=True)
class Changes:
    """Some of what has changed there. All parts of a payment stand together. `following`: where to go on; None: that
    was all."""

    invoices: Sequence[InvoiceThere]
    payments: Sequence[Incoming]
    following: Place | None


class Books(Protocol):
    """`name`: as the setting has it. `most`: how many rows a step may have, so that none takes too long.

    What is put is put once, however often it is tried: whoever goes on after a crash finds what is there already. All
    raise RefusedError, JobFailedError when nothing can be done without a person, and Unavailable (with `retry_after`
    where the other side says so)."""

    name: str
    most: int

    async def put_customer(self, customer: Customer, link: Link | None) -> Sent:
        """Make it be there as it is here."""
        ...

    async def put_invoice(self, invoice: Invoice, customer: Link, link: Link | None) -> Sent | None:
        """Make it be there, or be void there. None: there is no need for it."""
        ...

    async def put_payment(self, payment: Payment, invoice: Link, customer: Link, link: Link | None) -> Sent | None:
        """Make what is kept of it be there. None: there is no need for it."""
        ...

    async def changes(self, since: datetime, place: Place) -> Changes:
        """What has changed there since then, from that place on. Some of it may be told more than once."""
        ...
