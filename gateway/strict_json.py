"""JSON without the freedoms by which two readers may understand one text differently (RFC 8259, 4, 6 and 8).

Refused are duplicate keys, NaN and Infinity, numbers out of range, nesting deeper than 64, invalid UTF-8, lone
surrogates and the character NUL (which PostgreSQL cannot store).
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from kit.errors import Malformed

DEEPEST = 64


def loads(body: bytes) -> Any:
    """The value that `body` holds. Raises Malformed with a sentence for a person."""
    if not body:
        raise _refused("The body is empty.")
    try:
        text = body.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise _refused("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _refused(f"The body is not valid JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise _refused(f"The body is nested deeper than {DEEPEST} levels.") from error
    except ValueError as error:
        raise _refused("The body holds a number with too many digits.") from error
    # Cheap signs come first: without enough brackets nothing is deep, without an escape no string holds NUL (which JSON
    # forbids unescaped) or a lone surrogate (which UTF-8 does).
    if text.count("[") + text.count("{") > DEEPEST or "\\u" in text:
        _check(value)
    return value


def _refused(detail: str) -> Malformed:
    return Malformed(detail, code="malformed-json")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _refused(f"The body holds the key {twice[:100]!a} twice.")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _refused("The body holds a number out of range.")
    return value


def _constant(text: str) -> NoReturn:
    raise _refused(f"The body is not valid JSON: {text} is no JSON number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_constant)


def _check(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth == DEEPEST and any(isinstance(each, dict | list) for each in level):
            raise _refused(f"The body is nested deeper than {DEEPEST} levels.")
        level = [inner for each in level for inner in _inside(each)]
        depth += 1


def _inside(value: Any) -> Iterator[Any]:
    """What stands one level deeper; on the way, the check of a string."""
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str):
        _check_text(value)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _refused("The body holds a string with the character NUL.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _refused("The body holds a string with a lone surrogate.") from error
