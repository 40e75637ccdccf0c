"""billing.draft_invoice: the lines that bill a client's work. Pure.

Minutes are billed as they are recorded, since no contract says how to round them; a line's quantity is in hours, to
four decimals. Minutes that a contract includes are billed at 0, so that their entries are on an invoice and done with:
those of entries invoiced before are used up first, then the others by the time at which they began.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.billing import amounts
from services.agent_runtime.reasoners.billing.contracts import Price, including, period_start, price_of
from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import shortened

Row = dict[str, Any]

_MOST_LINES = 500
_NOTHING = "0"
_UNREAD = {"number": None, "subject": None}


@dataclass(frozen=True)
class Piece:
    """Minutes of an entry at a price. `holds`: it is this piece's line that names the entry; each is named once."""

    entry: Row
    ticket: Row
    minutes: int
    price: Price
    included_in: str | None
    holds: bool


class _Refused(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, client, contracts, calendars (by SLA policy), tickets (of the client, maybe not all), entries (the
    client's billable ones), drafts (invoices of the client), complete (whether all work of the period was read),
    readSince (work that began after that day was read, and maybe not all of that day; None: all), invoicedSince (the
    same of what is invoiced)."""
    left_out: list[Row] = []
    notes = list[str]()
    pieces: list[Piece] = []
    refused = None
    try:
        pieces = _pieces(input_, data, left_out)
        currency = _currency(pieces)
    except _Refused as refusal:
        pieces, currency, refused = [], None, {"code": refusal.code, "reason": refusal.reason}
    if not data["complete"]:
        notes.append(
            f"There is more work than can be read at once: the latest was read, back to {data['readSince']}. What is "
            "older can be billed once that is invoiced."
        )
    if pieces:
        notes.append("What contracts cost per period is not here: it is billed by itself.")
    lines = _lines(pieces) if currency else []
    totals = [amounts.line_amounts(x["quantity"], x["unitPrice"], x["taxPercent"], currency or "") for x in lines]
    subtotal, tax = sum((one for one, _ in totals), amounts.ZERO), sum((two for _, two in totals), amounts.ZERO)
    output = {
        "clientId": data["client"]["id"],
        "currency": currency,
        "refused": refused,
        "lines": lines,
        "subtotal": amounts.written(subtotal, currency or ""),
        "taxTotal": amounts.written(tax, currency or ""),
        "total": amounts.written(subtotal + tax, currency or ""),
        "entries": sum(piece.holds for piece in pieces),
        "minutes": sum(piece.minutes for piece in pieces),
        "includedMinutes": sum(piece.minutes for piece in pieces if piece.included_in),
        "leftOut": left_out,
        "complete": data["complete"],
        "notes": notes,
    }
    rules = [*_price_rules(pieces), *(rule(each["timeEntryId"], 0, each["reason"]) for each in left_out)]
    held = [piece.entry for piece in pieces if piece.holds]
    looked_at = evidence(rules, clients=[data["client"]], contracts=data["contracts"], time_entries=held)
    proposals = (_proposal(data["client"], output),) if subtotal > amounts.ZERO else ()
    return Result(output, looked_at, proposals)


def _pieces(input_: Row, data: Row, left_out: list[Row]) -> list[Piece]:
    """The client's work that no invoice has, priced. What cannot be billed goes into `left_out`."""
    first, last = _period(input_, data["now"])
    tickets = {each["id"]: each for each in data["tickets"]}
    drafted = {
        entry_id: each["id"] for each in data["drafts"] for line in each["lines"] for entry_id in line["timeEntryIds"]
    }
    own = [(started, each) for each in data["entries"] if (started := times.instant(each["startedAt"])) is not None]
    own.sort(key=lambda found: (found[1]["invoicedAt"] is None, found[0], str(found[1]["id"])))
    free = dict[tuple[str, date], int]()
    pieces = list[Piece]()
    for started, entry in own:
        minutes, contract = entry["billableMinutes"] or 0, including(started.date(), data["contracts"])
        key = (contract["id"], period_start(contract, started.date()) or date.min) if contract else None
        if key and contract:
            covered = min(minutes, free.setdefault(key, contract["includedMinutes"]))
            free[key] -= covered
        else:
            covered = 0
        why_not = _why_not(entry, started.date(), first, last, minutes, drafted)
        if why_not is None:
            if key and contract:
                _check_read(contract, key[1], data)
            price = price_of(started, data["client"], data["contracts"], data["calendars"])
            if price is None and covered == minutes and contract and contract["currency"]:
                price = Price(contract["currency"], _NOTHING, None, False, f"contract {contract['number']}")
            if price is not None:
                ticket = tickets.get(entry["ticketId"]) or {**_UNREAD, "id": entry["ticketId"]}
                if covered and contract:
                    pieces.append(Piece(entry, ticket, covered, price, str(contract["number"]), covered == minutes))
                if covered < minutes:
                    pieces.append(Piece(entry, ticket, minutes - covered, price, None, True))
                continue
            why_not = "Neither a contract nor the client says what an hour costs."
        if why_not:
            left_out.append({"timeEntryId": entry["id"], "reason": why_not})
    if not pieces and any("costs" in each["reason"] for each in left_out):
        raise _Refused("no-rate", "Neither a contract of these days nor the client says what an hour costs.")
    return pieces


def _why_not(
    entry: Row, day: date, first: date | None, last: date, minutes: int, drafted: dict[str, str]
) -> str | None:
    """Why the entry is not billed, as a sentence; empty for what is not worth telling; None: it is billed."""
    if entry["invoicedAt"] is not None or not entry["billable"] or day > last or (first is not None and day < first):
        return ""
    if entry["id"] in drafted:
        return f"It is on the draft {drafted[entry['id']]} already."
    return None if minutes else "Nothing of it is billed: its billable minutes are 0."


def _period(input_: Row, now: str) -> tuple[date | None, date]:
    today = times.instant(now)
    last = times.day(input_.get("to")) or (today.date() if today else date.max)
    first = times.day(input_.get("from"))
    if first is not None and first > last:
        raise _Refused("period", "The period ends before it begins.")
    return first, last


def _check_read(contract: Row, start: date, data: Row) -> None:
    read = (times.day(data["readSince"]), times.day(data["invoicedSince"]))
    if any(since is not None and since >= start for since in read):
        raise _Refused(
            "too-many-entries",
            f"Contract {contract['number']} includes minutes, and the work of its period cannot be read in full: what "
            "is left of them cannot be told.",
        )


def _currency(pieces: Sequence[Piece]) -> str | None:
    currencies = sorted({piece.price.currency for piece in pieces})
    if len(currencies) > 1:
        where = ", ".join(sorted({f"{piece.price.currency} ({piece.price.source})" for piece in pieces}))
        raise _Refused("mixed-currencies", f"The work is priced in several currencies: {where}. Bill them one by one.")
    return currencies[0] if currencies else None


def _lines(pieces: Sequence[Piece]) -> list[Row]:
    by_ticket = _grouped(pieces, _place)
    if len(by_ticket) <= _MOST_LINES:
        return by_ticket
    return _grouped(pieces, lambda piece: ("", ""))


def _grouped(pieces: Sequence[Piece], place: Any) -> list[Row]:
    groups = defaultdict[Any, list[Piece]](list)
    for piece in pieces:
        rate = _NOTHING if piece.included_in else piece.price.rate
        key = (*place(piece), piece.included_in or "", rate, piece.price.tax_percent or "", piece.price.after_hours)
        groups[key].append(piece)
    return [_line(key[3], groups[key], is_one_ticket=bool(key[1])) for key in sorted(groups)]


def _place(piece: Piece) -> tuple[str, str]:
    """Work on tickets that were not read is billed together."""
    ticket = piece.ticket
    return (str(ticket["number"]), str(ticket["id"])) if ticket["number"] else ("", "")


def _line(rate: str, pieces: Sequence[Piece], *, is_one_ticket: bool) -> Row:
    first = pieces[0]
    tickets = len({piece.ticket["id"] for piece in pieces})
    several = f"Support on {tickets} ticket{'s' if tickets > 1 else ''}"
    what = f"{first.ticket['number']} {first.ticket['subject']}" if is_one_ticket else several
    kind = f"included in {first.included_in}" if first.included_in else "hours"
    if first.price.after_hours and not first.included_in:
        kind = "hours outside business hours"
    return {
        "description": f"{shortened(what, 400)} ({kind})",
        "quantity": amounts.hours(sum(piece.minutes for piece in pieces)),
        "unitPrice": rate,
        "taxPercent": first.price.tax_percent,
        "timeEntryIds": sorted(piece.entry["id"] for piece in pieces if piece.holds),
    }


def _price_rules(pieces: Iterable[Piece]) -> list[Row]:
    told = dict[str, int]()
    for piece in pieces:
        where = piece.price.source + (" outside business hours" if piece.price.after_hours else "")
        what = f"included in {piece.included_in}" if piece.included_in else f"{piece.price.rate} an hour by {where}"
        told[what] = told.get(what, 0) + piece.minutes
    return [rule("price", minutes, f"{minutes} minutes {what}.") for what, minutes in sorted(told.items())]


def _proposal(client: Row, output: Row) -> ProposedAction:
    lines = [{name: value for name, value in line.items() if value is not None} for line in output["lines"]]
    summary = (
        f"Draft an invoice for {client['name']} over {output['total']} {output['currency']}: {output['minutes']} "
        f"minutes of work in {output['entries']} entries that no invoice has yet."
    )
    parameters = {"clientId": client["id"], "currency": output["currency"], "lines": lines}
    return ProposedAction("create_invoice", parameters, summary)
