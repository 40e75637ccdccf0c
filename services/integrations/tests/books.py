"""What a workspace has to be booked: made at ops, looked at in the integrations service."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opsfield.integrations.v1 import accounting_pb2 as pb2
from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1 import clients_pb2, invoices_pb2, payments_pb2
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.invoices_pb2 import Invoice, InvoiceLine
from opsfield.ops.v1.payments_pb2 import Payment
from services.integrations.tests.caller import Caller


@dataclass(frozen=True)
class Desk:
    """A bookkeeper's: `ops` and `integrations` are called as one person in one workspace."""

    ops: Caller
    integrations: Caller

    async def client(self, name: str = "Acme") -> str:
        request = clients_pb2.CreateClientRequest(client=Client(name=name, currency="EUR"))
        return str((await self.ops.call("CreateClient", request)).id)

    async def issued(self, client_id: str, *prices: str, tax: str = "20") -> Invoice:
        """An invoice with a line for each price."""
        lines = [InvoiceLine(description="Work", quantity="1", unit_price=each, tax_percent=tax) for each in prices]
        draft = Invoice(client_id=client_id, lines=lines)
        made = await self.ops.call("CreateInvoice", invoices_pb2.CreateInvoiceRequest(invoice=draft))
        issued: Invoice = await self.ops.call("IssueInvoice", invoices_pb2.IssueInvoiceRequest(id=made.id))
        return issued

    async def void(self, invoice_id: str) -> None:
        await self.ops.call("VoidInvoice", invoices_pb2.VoidInvoiceRequest(id=invoice_id, reason="wrong"))

    async def invoice(self, invoice_id: str) -> Invoice:
        found: Invoice = await self.ops.call("GetInvoice", invoices_pb2.GetInvoiceRequest(id=invoice_id))
        return found

    async def paid(self, invoice_id: str, amount: str) -> Payment:
        payment = Payment(invoice_id=invoice_id, amount=amount, status=Payment.SUCCEEDED, reference="by hand")
        made: Payment = await self.ops.call("CreatePayment", payments_pb2.CreatePaymentRequest(payment=payment))
        return made

    async def refund(self, payment_id: str, amount: str) -> None:
        request = payments_pb2.RefundPaymentRequest(id=payment_id, amount=amount, reason="too much")
        await self.ops.call("RefundPayment", request)

    async def payments(self) -> list[Payment]:
        return list((await self.ops.call("ListPayments", payments_pb2.ListPaymentsRequest(limit=200))).data)

    async def begin(self, bank_file: bytes | None = None) -> Job:
        request = pb2.SyncAccountingRequest()
        if bank_file is not None:
            request.upload_id = await self.integrations.upload(bank_file)
        job: Job = await self.integrations.call("SyncAccounting", request)
        return job

    async def synced(self, bank_file: bytes | None = None) -> Job:
        ended = await self.integrations.ended(await self.begin(bank_file))
        assert ended.status == Job.SUCCEEDED, ended
        return ended

    async def lines(self, **filters: Any) -> list[pb2.JournalLine]:
        """In the order of their entries."""
        request = pb2.ListJournalLinesRequest(limit=200, sort_by="entryNumber", **filters)
        found = (await self.integrations.call("ListJournalLines", request)).data
        return sorted(found, key=lambda line: (line.entry_number, line.position))

    async def conflicts(self, status: Any = pb2.AccountingConflict.OPEN) -> list[pb2.AccountingConflict]:
        request = pb2.ListAccountingConflictsRequest(limit=200, status=status)
        return list((await self.integrations.call("ListAccountingConflicts", request)).data)

    async def balances(self) -> dict[str, Decimal]:
        """What each account of the journal comes to; that the entries are numbered without gaps, and each balances."""
        found = await self.lines()
        numbers = {line.entry_number for line in found}
        assert numbers == set(range(1, len(numbers) + 1))
        sums: dict[int, Decimal] = {}
        accounts: dict[str, Decimal] = {}
        for line in found:
            amount = Decimal(line.debit) - Decimal(line.credit)
            sums[line.entry_number] = sums.get(line.entry_number, Decimal(0)) + amount
            accounts[line.account] = accounts.get(line.account, Decimal(0)) + amount
        assert set(sums.values()) <= {Decimal(0)}
        return accounts


def counts(job: Job) -> tuple[int, int, int]:
    return job.rows_created, job.rows_updated, job.rows_failed


def bank_file(*rows: tuple[str, str, str]) -> bytes:
    """Of rows of number, amount and reference."""
    lines = [f"{number},{amount},2026-02-28,{reference}\n" for number, amount, reference in rows]
    return "".join(["invoiceNumber,amount,date,reference\n", *lines]).encode()
