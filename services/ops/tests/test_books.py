"""The books balance after whatever is done to them, in whatever order, by two at once too."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from devstack.stack import Stack
from kit import ids
from kit.bootstrap import with_database
from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.identity import Principal
from kit.resources.handlers import ResourceHandlers
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.clients_pb2 import Client, CreateClientRequest
from opsfield.ops.v1.invoices_pb2 import (
    CreateInvoiceRequest,
    Invoice,
    InvoiceLine,
    IssueInvoiceRequest,
    ReissueInvoiceRequest,
    VoidInvoiceRequest,
)
from opsfield.ops.v1.payments_pb2 import CreatePaymentRequest, Payment, RefundPaymentRequest, UpdatePaymentRequest
from services.ops.billing import money
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES
from services.ops.billing.payments.handlers import PaymentHandlers
from services.ops.billing.payments.kind import PAYMENTS
from services.ops.directory.clients.kind import CLIENTS

CLIENT_HANDLERS = ResourceHandlers(CLIENTS, ())
INVOICE_HANDLERS = InvoiceHandlers(INVOICES, ())
PAYMENT_HANDLERS = PaymentHandlers(PAYMENTS, (), INVOICE_HANDLERS)
# What a request may be refused with; anything else is a fault.
REFUSALS = {"exceeds-balance", "exceeds-payment", "invoice-not-payable", "payment-not-received", "payment-pending",
            "illegal-transition", "payment-immutable", "validation-failed"}  # fmt: skip
prices = st.decimals(min_value=0, max_value=1000, places=3).map(lambda each: f"{each:f}")
percents = st.sampled_from(["0", "7.5", "19", "33.3333", "100"])
parts = st.sampled_from([Decimal(each) for each in ("0.01", "0.3333", "0.5", "1", "1.5")])
picks = st.integers(0, 1000)


class Books(RuleBasedStateMachine):
    """Handlers on a real database; `loop`, `database` and `admin` are the test's."""

    loop: asyncio.AbstractEventLoop
    database: Database
    admin: "asyncpg.Connection[asyncpg.Record]"

    @initialize()
    def open(self) -> None:
        self.workspace = f"w-{ids.new_id()}"
        self.invoices: list[str] = []
        self.payments: list[str] = []
        client = self.do(CLIENT_HANDLERS.create, CreateClientRequest(client=Client(name="Acme")))
        self.client_id = client.id

    @rule(currency=st.sampled_from(["EUR", "JPY", "KWD"]), price=prices, tax=percents, discount=percents)
    def draft(self, currency: str, price: str, tax: str, discount: str) -> None:
        line = InvoiceLine(
            description="Work", quantity="1.5", unit_price=price, tax_percent=tax, discount_percent=discount
        )
        invoice = Invoice(client_id=self.client_id, currency=currency, lines=[line] * 3)
        made = self.do(INVOICE_HANDLERS.create, CreateInvoiceRequest(invoice=invoice))
        self.invoices.append(made.id)
        self.do(INVOICE_HANDLERS.issue_invoice, IssueInvoiceRequest(id=made.id))

    @rule(pick=picks)
    def issue(self, pick: int) -> None:
        if self.invoices:
            self.do(INVOICE_HANDLERS.issue_invoice, IssueInvoiceRequest(id=self.invoice(pick)))

    @rule(pick=picks, part=parts, pending=st.booleans(), at_once=st.integers(1, 3))
    def pay(self, pick: int, part: Decimal, pending: bool, at_once: int) -> None:
        if not self.invoices:
            return
        invoice = self.row("invoices", self.invoice(pick))
        amount = money.written(Decimal(invoice["total"]) * part, invoice["currency"])
        status = Payment.PENDING if pending else Payment.SUCCEEDED
        request = CreatePaymentRequest(payment=Payment(invoice_id=str(invoice["id"]), amount=amount, status=status))
        self.payments += [each.id for each in self.at_once(PAYMENT_HANDLERS.create, request, at_once)]

    @rule(pick=picks, succeeds=st.booleans())
    def settle(self, pick: int, succeeds: bool) -> None:
        if self.payments:
            payment = Payment(status=Payment.SUCCEEDED if succeeds else Payment.FAILED)
            request = UpdatePaymentRequest(id=self.payment(pick), payment=payment)
            request.update_mask.paths.append("status")
            self.do(PAYMENT_HANDLERS.update, request)

    @rule(pick=picks, part=parts, at_once=st.integers(1, 3))
    def refund(self, pick: int, part: Decimal, at_once: int) -> None:
        if self.payments:
            payment = self.row("payments", self.payment(pick))
            amount = money.written(Decimal(payment["amount"]) * part, payment["currency"])
            request = RefundPaymentRequest(id=str(payment["id"]), amount=amount, reason="Back.")
            self.at_once(PAYMENT_HANDLERS.refund_payment, request, at_once)

    @rule(pick=picks)
    def void(self, pick: int) -> None:
        if self.invoices:
            self.do(INVOICE_HANDLERS.void_invoice, VoidInvoiceRequest(id=self.invoice(pick), reason="Wrong."))

    @rule(pick=picks)
    def reissue(self, pick: int) -> None:
        if self.invoices:
            request = ReissueInvoiceRequest(id=self.invoice(pick), reason="Wrong.")
            if copy := self.do(INVOICE_HANDLERS.reissue_invoice, request):
                self.invoices.append(copy.id)

    @invariant()
    def books_balance(self) -> None:
        books: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for row in self.rows("invoices"):
            if row["number"] is not None:
                book = books[row["currency"]]
                book["issued"] += row["total"]
                book["voided" if row["status"] == "void" else "paid or owed"] += (
                    row["total"] if row["status"] == "void" else row["amount_paid"] + row["balance"]
                )
                book["paid"] += row["amount_paid"]
                assert money.is_whole(row["balance"], row["currency"])
        for currency, book in books.items():
            assert book["issued"] == book["paid or owed"] + book["voided"]
            received = [row for row in self.rows("payments") if row["currency"] == currency]
            kept = [row for row in received if row["status"] in ("succeeded", "refunded")]
            assert book["paid"] == sum(row["amount"] - row["amount_refunded"] for row in kept)

    @invariant()
    def no_invoice_is_paid_beyond_its_total(self) -> None:
        taken: dict[Any, Decimal] = defaultdict(Decimal)
        for row in self.rows("payments"):
            if row["status"] != "failed":
                taken[row["invoice_id"]] += row["amount"] - row["amount_refunded"]
        for row in self.rows("invoices"):
            assert taken[row["id"]] <= (0 if row["status"] in ("draft", "void") else row["total"])
            if row["status"] in ("issued", "overdue"):
                assert row["amount_paid"] == 0
            assert (row["status"] == "paid") == (row["number"] is not None and row["status"] != "void"
                                                 and row["balance"] == 0)  # fmt: skip

    @invariant()
    def numbers_have_no_gaps(self) -> None:
        numbers = sorted(row["number"] for row in self.rows("invoices") if row["number"] is not None)
        assert numbers == [f"INV-{number:06d}" for number in range(1, len(numbers) + 1)]

    def invoice(self, pick: int) -> str:
        return self.invoices[pick % len(self.invoices)]

    def payment(self, pick: int) -> str:
        return self.payments[pick % len(self.payments)]

    def rows(self, table: str) -> list[asyncpg.Record]:
        if not hasattr(self, "workspace"):
            return []
        query = f"SELECT * FROM {table} WHERE workspace_id = $1"
        return self.loop.run_until_complete(self.admin.fetch(query, self.workspace))

    def row(self, table: str, row_id: str) -> asyncpg.Record:
        return next(row for row in self.rows(table) if str(row["id"]) == row_id)

    def do(self, handler: Any, request: Any) -> Any:
        """The answer, or None when it is refused as it may be."""
        return next(iter(self.at_once(handler, request, 1)), None)

    def at_once(self, handler: Any, request: Any, times: int) -> list[Any]:
        """The answers of those that were not refused."""

        async def one() -> Any:
            call = Call(method="t", principal=Principal("ada", workspace_id=self.workspace), correlation_id="c")
            async with unit_of_work(self.database, call, service="ops") as work:
                return await handler(request, work)

        async def all_of_them() -> list[Any]:
            calls: list[Awaitable[Any]] = [one() for _ in range(times)]
            return await asyncio.gather(*calls, return_exceptions=True)

        outcomes = self.loop.run_until_complete(all_of_them())
        for each in outcomes:
            if isinstance(each, BaseException) and not (isinstance(each, Problem) and each.code in REFUSALS):
                raise each
        return [each for each in outcomes if not isinstance(each, BaseException)]


def test_the_books_balance(stack: Stack) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        database = runner.run(Database.connect(stack.database_url("ops"), size=3))
        admin = runner.run(asyncpg.connect(with_database(stack.admin_url, "ops")))
        machine = type("BoundBooks", (Books,), {"loop": loop, "database": database, "admin": admin})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=60,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(admin.close())
            runner.run(database.close())
