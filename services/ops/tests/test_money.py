"""Money: exact to the minor unit, whatever the numbers."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Invalid
from services.ops.billing import money
from services.ops.billing.lines import price

CURRENCIES = ("EUR", "USD", "JPY", "KWD", "CLF")
decimals = st.decimals(min_value=0, max_value=Decimal("999999999.9999"), places=4).map(lambda each: f"{each:f}")
percents = st.none() | st.decimals(min_value=0, max_value=100, places=4).map(lambda each: f"{each:f}")
lines = st.fixed_dictionaries({"quantity": decimals, "unit_price": decimals},
                              optional={"discount_percent": percents, "tax_percent": percents})  # fmt: skip


def line(quantity: str, unit_price: str, **percentages: str) -> dict[str, Any]:
    return {"description": "Work", "quantity": quantity, "unit_price": unit_price, **percentages}


def priced(*lines: dict[str, Any], currency: str | None = "EUR") -> dict[str, Any]:
    row = {"currency": currency, "lines": list(lines)}
    price(row)
    return row


@pytest.mark.parametrize(
    ("currency", "expected"),
    [("EUR", "1234.57"), ("JPY", "1235"), ("KWD", "1234.568"), ("CLF", "1234.5678"), ("XYZ", "1234.57")],
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, expected: str) -> None:
    assert money.written(Decimal("1234.5678"), currency) == expected


@pytest.mark.parametrize(("amount", "expected"), [("0.005", "0.01"), ("0.0049", "0.00"), ("2.675", "2.68")])
def test_half_a_cent_is_rounded_up(amount: str, expected: str) -> None:
    assert money.written(Decimal(amount), "EUR") == expected


def test_a_line_is_rounded_at_each_step() -> None:
    # 3 × 33.335 = 100.005 → 100.01; 10 % = 10.001 → 10.00; 19 % of 90.01 = 17.1019 → 17.10
    found = money.amounts_of(line("3", "33.335", discount_percent="10", tax_percent="19"), "EUR")
    assert (found.subtotal, found.discount, found.tax) == (Decimal("100.01"), Decimal("10.00"), Decimal("17.10"))
    assert found.total == Decimal("107.11")


def test_many_small_lines_are_not_rounded_as_one() -> None:
    row = priced(*[line("1", "0.005")] * 3)
    assert row["total"] == "0.03"
    assert [each["total"] for each in row["lines"]] == ["0.01"] * 3


def test_amounts_that_a_caller_sent_count_for_nothing() -> None:
    row = priced({**line("2", "5"), "total": "1.00", "tax": "-9"})
    assert (row["lines"][0]["total"], row["lines"][0]["tax"], row["total"]) == ("10.00", "0.00", "10.00")


@pytest.mark.parametrize(("name", "path"), [("discount_percent", "discountPercent"), ("tax_percent", "taxPercent")])
def test_a_percentage_goes_to_a_hundred(name: str, path: str) -> None:
    assert priced(line("1", "5", **{name: "100"}))
    with pytest.raises(Invalid) as refused:
        priced(line("1", "5"), line("1", "5", **{name: "100.0001"}))
    assert [error.path for error in refused.value.errors] == [f"lines[1].{path}"]


def test_there_is_no_amount_without_a_currency() -> None:
    with pytest.raises(Invalid) as refused:
        priced(line("1", "5"), currency=None)
    assert [error.path for error in refused.value.errors] == ["currency"]


def test_what_cannot_be_written_is_refused() -> None:
    assert priced(line("1", "999999999999999"))["total"] == "999999999999999.00"
    for each in (line("2", "999999999999999"), line("1", "999999999999999", tax_percent="1"),
                 line("999999999999999.9999", "999999999999999.9999", discount_percent="100")):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            priced(each)
        assert [error.path for error in refused.value.errors] == ["lines"]


@given(st.lists(lines, max_size=20), st.sampled_from(CURRENCIES))
def test_the_lines_come_to_the_totals_and_nothing_is_negative(rows: list[dict[str, Any]], currency: str) -> None:
    amounts = [money.amounts_of(each, currency) for each in rows]
    together = money.sum_of(amounts)
    assert together.subtotal == sum(each.subtotal for each in amounts)
    assert together.discount == sum(each.discount for each in amounts)
    assert together.tax == sum(each.tax for each in amounts)
    assert together.total == sum(each.total for each in amounts)
    for each in (*amounts, together):
        assert 0 <= each.discount <= each.subtotal
        assert each.tax >= 0
        assert each.total >= each.subtotal - each.discount
        for amount in (each.subtotal, each.discount, each.tax, each.total):
            assert money.is_whole(amount, currency)
            assert Decimal(money.written(amount, currency)) == amount


@given(lines, st.sampled_from(CURRENCIES))
def test_no_step_is_off_by_more_than_half_a_minor_unit(row: dict[str, Any], currency: str) -> None:
    found, unit = money.amounts_of(row, currency), Decimal(1).scaleb(-money.minor_digits(currency))
    exact = Decimal(row["quantity"]) * Decimal(row["unit_price"])
    assert abs(found.subtotal - exact) <= unit / 2
    assert found.subtotal == exact.quantize(unit, rounding=ROUND_HALF_UP)
    assert abs(found.discount - found.subtotal * Decimal(row.get("discount_percent") or 0) / 100) <= unit / 2
    net = found.subtotal - found.discount
    assert abs(found.tax - net * Decimal(row.get("tax_percent") or 0) / 100) <= unit / 2


@given(lines, st.sampled_from(CURRENCIES), st.booleans())
def test_lines_that_do_not_count_stay_out_of_the_totals(row: dict[str, Any], currency: str, counts: bool) -> None:
    whole: dict[str, Any] = {"currency": currency, "lines": [row, {**row, "optional": True}]}
    try:
        price(whole, lambda each: counts and not each.get("optional"))
    except Invalid:
        return
    assert Decimal(whole["total"]) == (money.amounts_of(row, currency).total if counts else 0)
