"""Amounts of money: decimals, never floats; rounded half up to the currency's minor unit, as invoices do. Pure."""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext

ZERO = Decimal(0)
HUNDRED = Decimal(100)
MINUTES_PER_HOUR = Decimal(60)
# What a quantity may have.
_DECIMALS = Decimal("0.0001")
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
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


def decimal(text: object) -> Decimal | None:
    """The number of a decimal string; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The nearest whole number of minor units; half of one is rounded up."""
    return amount.quantize(Decimal(1).scaleb(-_DIGITS.get(currency, 2)), context=_EXACT)


def written(amount: Decimal, currency: str) -> str:
    """As the API writes it: "12.50" in EUR, "12" in JPY."""
    return f"{rounded(amount, currency):f}"


def hours(minutes: int) -> str:
    """Minutes as hours, to four decimals, which is what a quantity may have: "0.75"."""
    quantity = (Decimal(minutes) / MINUTES_PER_HOUR).quantize(_DECIMALS, rounding=ROUND_HALF_UP)
    return f"{quantity.normalize():f}"


def line_amounts(quantity: str, unit_price: str, tax_percent: str | None, currency: str) -> tuple[Decimal, Decimal]:
    """What a line comes to before tax, and the tax on it: as the invoice will say."""
    with localcontext(_EXACT):
        subtotal = rounded(Decimal(quantity) * Decimal(unit_price), currency)
        tax = rounded(subtotal * Decimal(tax_percent or 0) / HUNDRED, currency)
    return subtotal, tax
