"""What the other side calls a rate of tax. Pure."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from services.integrations.accounting.port import RefusedError


def code_of(rate: Decimal, codes: Sequence[str], untaxed: str) -> str:
    """`codes`: lines of the setting, "20=OUTPUT2"; of two for one rate the first counts. `untaxed`: for what is taxed
    with 0 where no line names it. Raises RefusedError."""
    for line in codes:
        percent, _, code = line.partition("=")
        try:
            if Decimal(percent.strip()) == rate and code.strip():
                return code.strip()
        except InvalidOperation:
            continue
    if not rate:
        return untaxed
    raise RefusedError("tax-code-missing", f"The setting accounting.taxCodes does not name the rate {rate:f} %.")
