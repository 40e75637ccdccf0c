"""Xero's accounting API as far as a sync uses it, in its documented shapes
(https://developer.xero.com/documentation/api/accounting/invoices)."""

import json
import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from services.integrations.tests.fake_books import FakeBooks, Json

_ID = {"Contacts": "ContactID", "Invoices": "InvoiceID", "Payments": "PaymentID"}
_TIME = re.compile(r"/Date\((\d+)")


class FakeXero(FakeBooks):
    provider = "xero"
    account = "45e4708e-d862-4111-ab3a-dd8cd03913e1"
    kinds = ("Contacts", "Invoices", "Payments")
    tax_code = "OUTPUT2"

    @property
    def secret(self) -> Json:
        return {**super().secret, "tenantId": self.account}

    def empty(self) -> None:
        super().empty()
        self.kept: dict[str, dict[str, Json]] = {kind: {} for kind in _ID}
        self.answered: dict[str, Json] = {}

    def make(self, kind: str, **fields: Any) -> Json:
        """As somebody does there."""
        return self._keep(kind, {_ID[kind]: str(uuid.uuid4()), **fields})

    def change(self, kind: str, external_id: str, **fields: Any) -> None:
        self._keep(kind, {**self.kept[kind][external_id], **fields})

    def take_back(self, payment_id: str) -> None:
        self.change("Payments", payment_id, Status="DELETED")

    def take_number(self, number: str) -> None:
        contact = {"ContactID": str(self.make("Contacts", Name="Acme")["ContactID"])}
        self.make("Invoices", InvoiceNumber=number, Total=1, Contact=contact, CurrencyCode="EUR", Status="AUTHORISED")

    def invoices(self) -> dict[str, tuple[str, Decimal]]:
        """What is void there keeps its total, but counts no more."""
        return {
            each["InvoiceNumber"]: (
                each["InvoiceID"],
                Decimal(0) if each.get("Status") == "VOIDED" else Decimal(each["Total"]),
            )
            for each in self.kept["Invoices"].values()
        }

    def payments(self) -> dict[str, Decimal]:
        return {
            each["PaymentID"]: Decimal(each["Amount"])
            for each in self.kept["Payments"].values()
            if each["Status"] == "AUTHORISED"
        }

    def pay(self, invoice_id: str, amount: str) -> Json:
        return self.make("Payments", **_payment(invoice_id, amount, "2026-02-20", "cheque 7"))

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, Json] | None:
        if path == "/token":
            sent = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            is_ours = (sent["client_id"], sent["client_secret"]) == ("our-id", "our-secret")
            tokens = self.refreshed(sent["refresh_token"]) if is_ours else None
            return (200, tokens) if tokens else (400, {"error": "invalid_grant"})
        if not self.is_known(headers["Authorization"]):
            return 401, {"Title": "Unauthorized", "Detail": "TokenExpired"}
        assert headers["xero-tenant-id"] == self.account
        _, kind, *rest = path.split("/")
        if method == "GET":
            return self._read(kind, rest, query, headers)
        fault = self.fault(kind)
        if fault in ("401", "429"):
            return int(fault), {"Detail": "as asked"}
        answer = self._put(kind, rest, json.loads(body, parse_float=Decimal), headers["Idempotency-Key"])
        return None if fault == "drop" else answer

    def _read(self, kind: str, rest: list[str], query: dict[str, str], headers: Any) -> tuple[int, Json]:
        found = list(self.kept[kind].values())
        if rest:
            found = [each for each in found if each[_ID[kind]] == rest[0]]
            return (200, {kind: found}) if found else (404, {"Title": "NotFound"})
        for name, field in (("IDs", _ID[kind]), ("InvoiceNumbers", "InvoiceNumber")):
            if name in query:
                found = [each for each in found if each.get(field) in query[name].split(",")]
        for name, value in re.findall(r'([\w.]+)==(?:guid\()?"((?:[^"\\]|\\.)*)"', query.get("where", "")):
            value = re.sub(r"\\(.)", r"\1", value)
            found = [each for each in found if _field(each, name) == value]
        if since := headers.get("If-Modified-Since"):
            start = datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp() * 1000
            found = [each for each in found if _time(each) >= start]
            found.sort(key=_time)
        page, size = int(query.get("page", 1)), int(query.get("pageSize", 100))
        return 200, {kind: found[(page - 1) * size : page * size]}

    def _put(self, kind: str, rest: list[str], body: Json, key: str) -> tuple[int, Json]:
        assert len(key) <= 128
        if key not in self.answered:
            answer = self._done(kind, rest, body)
            if answer[0] != 200:
                return answer
            self.answered[key] = answer[1]
        return 200, self.answered[key]

    def _done(self, kind: str, rest: list[str], body: Json) -> tuple[int, Json]:
        known = self.kept[kind].get(rest[0]) if rest else None
        sent = body[kind][0] if kind in body else body
        if kind == "Payments" and known is None:
            invoice = self.kept["Invoices"][sent["Invoice"]["InvoiceID"]]
            paid = [each for each in self.kept["Payments"].values() if each["Status"] == "AUTHORISED"]
            paid = [each for each in paid if each["Invoice"]["InvoiceID"] == invoice["InvoiceID"]]
            if sum(Decimal(str(each["Amount"])) for each in paid) + Decimal(sent["Amount"]) > invoice["Total"]:
                return 400, _wrong("Payment amount exceeds the amount outstanding on this document")
            sent = {**sent, "PaymentType": "ACCRECPAYMENT", "Status": "AUTHORISED"}
        if kind == "Payments" and known is not None and known["Status"] == "DELETED":
            return 400, _wrong("This payment has already been deleted")
        if kind == "Invoices" and known is None:
            for line in sent["LineItems"]:
                if Decimal(line["Quantity"]) * Decimal(line["UnitAmount"]) != Decimal(line["LineAmount"]):
                    return 400, _wrong("The line total does not match the expected line total")
            sent["Total"] = sum(Decimal(line["LineAmount"]) + Decimal(line["TaxAmount"]) for line in sent["LineItems"])
        self.taken[f"{'create' if known is None else sent.get('Status', 'update')} {kind}"] += 1
        made = self.make(kind, **sent) if known is None else self._keep(kind, {**known, **sent})
        return 200, {kind: [made]}

    def _keep(self, kind: str, found: Json) -> Json:
        now = int(datetime.now(UTC).timestamp() * 1000)
        self.kept[kind][found[_ID[kind]]] = {**found, "UpdatedDateUTC": f"/Date({now}+0000)/"}
        return self.kept[kind][found[_ID[kind]]]


def _payment(invoice_id: str, amount: str, day: str, reference: str) -> Json:
    day = f"/Date({int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)}+0000)/"
    return {
        "Invoice": {"InvoiceID": invoice_id},
        "Amount": Decimal(amount),
        "Date": day,
        "Reference": reference,
        "Status": "AUTHORISED",
        "PaymentType": "ACCRECPAYMENT",
    }


def _field(found: Json, name: str) -> Any:
    value: Any = found
    for part in name.split("."):
        value = (value or {}).get(part)
    return value


def _time(found: Json) -> int:
    match = _TIME.match(found["UpdatedDateUTC"])
    assert match
    return int(match[1])


def _wrong(message: str) -> Json:
    return {
        "ErrorNumber": 10,
        "Type": "ValidationException",
        "Elements": [{"ValidationErrors": [{"Message": message}]}],
    }
