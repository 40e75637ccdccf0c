"""Amounts of money: exact, in whole minor units of a currency, rounded half up at one place.

Pure. An amount travels as a decimal string ("12.50") and is calculated with as a Decimal, never as a float.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

ZERO = Decimal(0)
HUNDRED = Decimal(100)
# What the API can write: 15 digits before the point.
TOO_MUCH = Decimal(10) ** 15

# ISO 4217: the currencies whose minor unit is not a hundredth.
_DIGITS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
         "XOF", "XPF"),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip
# Wide enough for the product of any two numbers that the API takes, and a percentage of it.
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Amounts:
    """Of a line or of several: before discount, the discount, the tax on the rest, and what it comes to."""

    subtotal: Decimal
    discount: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.subtotal - self.discount + self.tax

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.subtotal + other.subtotal, self.discount + other.discount, self.tax + other.tax)


NOTHING = Amounts(ZERO, ZERO, ZERO)


def minor_digits(currency: str) -> int:
    """Decimals of a currency's amounts: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DIGITS.get(currency, 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The nearest whole number of minor units; half of one is rounded up."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), context=_EXACT)


def written(amount: Decimal, currency: str) -> str:
    """As the API writes it: `12.50` in EUR, `12` in JPY."""
    return f"{rounded(amount, currency):f}"


def is_whole(amount: Decimal, currency: str) -> bool:
    """Whether the amount can be paid: no part of a minor unit."""
    return rounded(amount, currency) == amount


def amounts_of(line: Mapping[str, Any], currency: str) -> Amounts:
    """A line's amounts, each rounded. `line` has `quantity` and `unit_price`, and may have `discount_percent` and
    `tax_percent`, as decimal strings."""
    with localcontext(_EXACT):
        subtotal = rounded(Decimal(line["quantity"]) * Decimal(line["unit_price"]), currency)
        discount = rounded(subtotal * Decimal(line.get("discount_percent") or 0) / HUNDRED, currency)
        tax = rounded((subtotal - discount) * Decimal(line.get("tax_percent") or 0) / HUNDRED, currency)
    return Amounts(subtotal, discount, tax)


def sum_of(amounts: Iterable[Amounts]) -> Amounts:
    """All of them together, exactly."""
    with localcontext(_EXACT):
        return sum(amounts, NOTHING)
