"""Runs a validator and says what is wrong in words for the person who wrote the input."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from gateway.schemas import TIME_PATTERN
from kit.errors import FieldError
from kit.formats import DESCRIPTIONS, PATTERNS

_MOST_ERRORS = 100
_LONGEST_PATH = 200
_TIME = 'must be a time with its offset (RFC 3339), such as "2025-03-01T09:00:00Z"'
_PATTERNS = {pattern: DESCRIPTIONS[name] for name, pattern in PATTERNS.items()} | {TIME_PATTERN: _TIME}

Context = Mapping[str, Any]

_MESSAGES: dict[str, Callable[[Context], str]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not a known field",
    "string_type": lambda _: "must be a string",
    "int_type": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be an object",
    "literal_error": lambda context: f"must be one of {_words(context['expected'])}",
    "string_too_short": lambda context: f"must have at least {_count(context['min_length'], 'character')}",
    "string_too_long": lambda context: f"must have at most {_count(context['max_length'], 'character')}",
    "too_long": lambda context: f"must have at most {_count(context['max_length'], 'item')}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "string_pattern_mismatch": lambda context: _PATTERNS[context["pattern"]],
    "datetime_from_date_parsing": lambda _: _TIME,
    "datetime_parsing": lambda _: _TIME,
}


def validate(validator: SchemaValidator, value: Any) -> tuple[Any, list[FieldError]]:
    """The value as the validator makes it, or every error at once (at most 100 of them)."""
    try:
        return validator.validate_python(value), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [FieldError(_path(each["loc"]), _message(each)) for each in details[:_MOST_ERRORS]]


def _message(error: ErrorDetails) -> str:
    say = _MESSAGES.get(error["type"])
    return say(error.get("ctx", {})) if say else error["msg"]


def _path(location: tuple[int | str, ...]) -> str:
    """`("address", "city")` is `address.city`, `("tags", 2)` is `tags[2]`; the whole body is `body`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path[:_LONGEST_PATH] or "body"


def _words(expected: str) -> str:
    """pydantic writes `'a', 'b' or 'c'`."""
    return expected.replace(" or ", ", ").replace("'", "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
