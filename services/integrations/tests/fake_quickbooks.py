"""QuickBooks Online's API as far as a sync uses it, in its documented shapes
(https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/invoice)."""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from services.integrations.tests.fake_books import FakeBooks, Json

_SELECT = re.compile(
    r"SELECT \* FROM (\w+)(?:\s+WHERE (.*?))?(?: ORDERBY [\w.]+)?(?: STARTPOSITION (\d+))?(?: MAXRESULTS (\d+))?$"
)
_CONDITION = re.compile(r"([\w.]+) (=|>=) '((?:[^'\\]|\\.)*)'(?: AND )?")


class FakeQuickBooks(FakeBooks):
    """`meanwhile`: what happens once, before the next request with that in its body is answered."""

    provider = "quickbooks"
    account = "4620816365"
    kinds = ("Customer", "Invoice", "Payment")
    tax_code = "5"

    @property
    def secret(self) -> Json:
        return {**super().secret, "realmId": self.account}

    def empty(self) -> None:
        super().empty()
        self.kept: dict[str, dict[str, Json]] = {
            "Customer": {},
            "Invoice": {},
            "Payment": {},
            "Item": {"1": {"Id": "1", "Name": "Services"}},
            "Preferences": {"1": {"Id": "1", "SalesFormsPrefs": {"CustomTxnNumbers": True}}},
        }
        self.deleted: list[tuple[str, Json]] = []
        self.answered: dict[str, tuple[int, Json]] = {}
        self.tax_on_top = Decimal(0)
        self.meanwhile: dict[str, Callable[[], None]] = {}
        self._last_id = 100

    def make(self, kind: str, **fields: Any) -> Json:
        """As somebody does there."""
        self._last_id += 1
        return self._keep(kind, {"Id": str(self._last_id), "SyncToken": "-1", **fields})

    def change(self, kind: str, external_id: str, **fields: Any) -> None:
        self._keep(kind, {**self.kept[kind][external_id], **fields})

    def delete(self, kind: str, external_id: str) -> None:
        found = self.kept[kind].pop(external_id)
        stamp = {"LastUpdatedTime": _now()}
        self.deleted.append((kind, {"Id": found["Id"], "status": "Deleted", "domain": "QBO", "MetaData": stamp}))

    def take_back(self, payment_id: str) -> None:
        self.delete("Payment", payment_id)

    def take_number(self, number: str) -> None:
        customer = self.make("Customer", DisplayName="Acme")
        self.make("Invoice", DocNumber=number, TotalAmt=1, CustomerRef={"value": customer["Id"]})

    def invoices(self) -> dict[str, tuple[str, Decimal]]:
        return {each["DocNumber"]: (each["Id"], Decimal(each["TotalAmt"])) for each in self.kept["Invoice"].values()}

    def payments(self) -> dict[str, Decimal]:
        return {each["Id"]: Decimal(each["TotalAmt"]) for each in self.kept["Payment"].values()}

    def pay(self, invoice_id: str, amount: str) -> Json:
        invoice = self.kept["Invoice"][invoice_id]
        return self.make(
            "Payment",
            CustomerRef=invoice["CustomerRef"],
            CurrencyRef=invoice["CurrencyRef"],
            TotalAmt=Decimal(amount),
            TxnDate="2026-02-20",
            PaymentRefNum="cheque 7",
            Line=[{"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": invoice_id, "TxnType": "Invoice"}]}],
        )

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, Json] | None:
        if path == "/discovery":
            names = ("authorization", "token", "revocation", "userinfo")
            found = {f"{name}_endpoint": f"{self.url}/{name}" for name in names}
            return 200, {**found, "issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        if path == "/token":
            wanted = "Basic " + base64.b64encode(b"our-id:our-secret").decode()
            sent = parse_qs(body.decode())
            tokens = self.refreshed(sent["refresh_token"][0]) if headers["Authorization"] == wanted else None
            return (200, tokens) if tokens else (400, {"error": "invalid_grant"})
        if not self.is_known(headers["Authorization"]):
            return 401, _fault("3200", "message=AuthenticationFailed")
        prefix = f"/v3/company/{self.account}/"
        assert path.startswith(prefix), path
        assert query["minorversion"] == "75"
        what = path.removeprefix(prefix)
        for part in [each for each in self.meanwhile if each in body.decode()]:
            self.meanwhile.pop(part)()
        if what == "query":
            return 200, self._query(body.decode())
        if what == "cdc":
            return 200, self._changes(query)
        kind = what.capitalize()
        fault = self.fault(kind)
        if fault in ("401", "429"):
            return int(fault), _fault("3001", "message=ThrottleExceeded")
        answer = self._put(kind, json.loads(body, parse_float=Decimal), query)
        return None if fault == "drop" else answer

    def _query(self, select: str) -> Json:
        match = _SELECT.match(select)
        assert match, select
        kind, where, start, most = match.groups()
        found = list(self.kept[kind].values())
        conditions = _CONDITION.findall(where or "")
        assert "".join(f"{n} {o} '{v}'" for n, o, v in conditions) == (where or "").replace(" AND ", ""), select
        for name, operator, value in conditions:
            value = re.sub(r"\\(.)", r"\1", value)
            found = [each for each in found if _holds(_field(each, name), operator, value)]
        if conditions and conditions[0][1] == ">=":
            found.sort(key=lambda each: str(each["MetaData"]["LastUpdatedTime"]))
        first = int(start or 1) - 1
        page = found[first : first + int(most or 100)]
        return {"QueryResponse": {kind: page, "startPosition": first + 1, "maxResults": len(page)} if page else {}}

    def _changes(self, query: dict[str, str]) -> Json:
        kind, since = query["entities"], datetime.fromisoformat(query["changedSince"])
        found = [each for of, each in self.deleted if of == kind]
        found += list(self.kept[kind].values())
        found = [each for each in found if datetime.fromisoformat(each["MetaData"]["LastUpdatedTime"]) >= since]
        return {"CDCResponse": [{"QueryResponse": [{kind: found} if found else {}]}]}

    def _put(self, kind: str, body: Json, query: dict[str, str]) -> tuple[int, Json]:
        request_id = query["requestid"]
        assert len(request_id) <= 50
        if request_id not in self.answered:
            answer = self._done(kind, body, query)
            if answer[0] != 200:
                return answer
            self.answered[request_id] = answer
        return self.answered[request_id]

    def _done(self, kind: str, body: Json, query: dict[str, str]) -> tuple[int, Json]:
        known = self.kept[kind].get(str(body.get("Id", "")))
        if known is not None and body["SyncToken"] != known["SyncToken"]:
            return 400, _fault("5010", "Stale Object Error")
        operation = query.get("operation", "update" if known else "create")
        self.taken[f"{operation} {kind}" if query.get("include") is None else f"void {kind}"] += 1
        if operation == "void" or query.get("include") == "void":
            assert known
            note = f"Voided - {known['PrivateNote']}"
            lines: list[Json] = []
            return 200, {
                kind: self._keep(kind, {**known, "TotalAmt": 0, "Balance": 0, "PrivateNote": note, "Line": lines})
            }
        if kind == "Customer" and any(
            each["DisplayName"] == body["DisplayName"] and each is not known for each in self.kept[kind].values()
        ):
            return 400, _fault("6240", "Duplicate Name Exists Error")
        if kind == "Invoice":
            net = sum(Decimal(line["Amount"]) for line in body["Line"])
            for line in body["Line"]:
                detail = line["SalesItemLineDetail"]
                if "Qty" in detail and Decimal(detail["Qty"]) * Decimal(detail["UnitPrice"]) != Decimal(line["Amount"]):
                    return 400, _fault("6070", "Amount is not equal to UnitPrice * Qty")
            body["TotalAmt"] = net + Decimal(body["TxnTaxDetail"]["TotalTax"]) + self.tax_on_top
        if known is None:
            return 200, {kind: self.make(kind, **body)}
        return 200, {kind: self._keep(kind, {**known, **body})}

    def _keep(self, kind: str, found: Json) -> Json:
        token = str(int(found["SyncToken"]) + 1)
        self.kept[kind][found["Id"]] = {**found, "SyncToken": token, "MetaData": {"LastUpdatedTime": _now()}}
        return self.kept[kind][found["Id"]]


def _field(found: Json, name: str) -> str:
    value: Any = found
    for part in name.split("."):
        value = value.get(part) or ""
    return str(value["value"] if isinstance(value, dict) else value)


def _holds(found: str, operator: str, value: str) -> bool:
    if operator == "=":
        return found == value
    return datetime.fromisoformat(found) >= datetime.fromisoformat(value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _fault(code: str, message: str) -> Json:
    return {"Fault": {"Error": [{"Message": message, "Detail": message, "code": code}], "type": "ValidationFault"}}
