"""What a client's word does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.billing.payments.rules import portal_reference
from services.ops.portal import rules

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ticket(status: str = "open", **changed: Any) -> dict[str, Any]:
    return {"status": status, "resolution": None, "merged_into_id": None, **changed}


@pytest.mark.parametrize("status", ["new", "open", "in_progress", "waiting_on_client", "waiting_on_vendor"])
def test_closing_resolves_what_was_not(status: str) -> None:
    row = ticket(status)
    rules.settle(row, comment=None)
    assert (row["status"], row["resolution"]) == ("resolved", "Closed by the client.")
    rules.close(row)
    assert row["status"] == "closed"


def test_what_is_said_of_the_solution_stays() -> None:
    own, staffs = ticket(), ticket("resolved", resolution="New toner.")
    rules.settle(own, comment="Works again.")
    rules.settle(staffs, comment="Thanks.")
    assert (own["resolution"], staffs["resolution"]) == ("Works again.", "New toner.")


def test_only_what_is_resolved_is_reopened() -> None:
    row = ticket("resolved")
    rules.reopen(row)
    assert row["status"] == "open"
    for status in ("new", "open", "in_progress", "closed"):
        with pytest.raises(IllegalTransition):
            rules.reopen(ticket(status))


@pytest.mark.parametrize("act", [rules.reopen, lambda row: rules.settle(row, comment=None)])
def test_what_was_merged_goes_on_elsewhere(act: Any) -> None:
    with pytest.raises(Conflict) as refusal:
        act(ticket("closed", merged_into_id="t-2"))
    assert refusal.value.code == "ticket-merged"


def test_words_that_are_needed() -> None:
    for action in ("comment", "reopen"):
        with pytest.raises(Invalid):
            rules.needs_comment(action, None)
    rules.needs_comment("close", None)
    with pytest.raises(Invalid):
        rules.needs_reason("rejected", None)
    rules.needs_reason("accepted", None)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"status": "expired"}, "quote-expired"),
        ({"valid_until": "2026-03-01"}, "quote-expired"),
        ({"terms_digest": "b"}, "quote-changed"),
    ],
)
def test_a_rejection_is_in_time_and_of_what_was_read(changed: dict[str, Any], code: str) -> None:
    quote = {"status": "sent", "valid_until": "2026-03-02", "terms_digest": "a"}
    rules.check_rejection(quote, digest="a", now=NOW)
    with pytest.raises(Conflict) as refusal:
        rules.check_rejection({**quote, **changed}, digest="a", now=NOW)
    assert refusal.value.code == code


def test_a_payment_is_known_by_its_reference() -> None:
    payment_id = "0193a4a4-7d2b-7000-8000-0000003f9a2c"
    payment = {"id": payment_id, "status": "pending", "reference": portal_reference("INV-000317", payment_id)}
    assert payment["reference"] == "INV-000317-3F9A2C"
    rules.withdraw(payment, by_client=True)
    assert payment["status"] == "failed"
    for changed, code in (
        ({"status": "succeeded"}, "payment-not-pending"),
        ({"status": "pending", "reference": "INV-000317"}, "payment-not-yours"),
        ({"status": "pending", "reference": None}, "payment-not-yours"),
    ):
        with pytest.raises(Conflict) as refusal:
            rules.withdraw({**payment, **changed}, by_client=True)
        assert refusal.value.code == code
