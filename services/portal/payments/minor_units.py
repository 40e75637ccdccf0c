"""Amounts as Stripe counts them: whole numbers of the smallest unit that it knows of a currency. Pure."""

from decimal import Decimal

# https://docs.stripe.com/currencies: of these there is nothing smaller.
_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THOUSANDTHS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))


def digits(currency: str) -> int:
    if currency in _WHOLE:
        return 0
    return 3 if currency in _THOUSANDTHS else 2


def in_minor_units(amount: str, currency: str) -> int:
    """`12.50` EUR is 1250. Raises ValueError for a part of a unit."""
    scaled = Decimal(amount).scaleb(digits(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} is no whole number of units")
    return int(scaled)


def written(units: int, currency: str) -> str:
    """1250 in EUR is `12.50`."""
    return f"{Decimal(units).scaleb(-digits(currency)):f}"
