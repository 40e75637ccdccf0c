"""What a cell of an exported file holds."""

import orjson

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def defused(text: str) -> str:
    """A text that no spreadsheet runs: with an apostrophe before it where one would. A text that has one there already
    gets another, so that whoever reads it back knows the two apart."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def cell(value: object, *, is_text: bool) -> str:
    """A value of JSON in a cell. Items of a list of texts are separated by `;`, what has parts is JSON. `is_text`:
    whether it is free text, not a number or a word of ours."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        joined = ";".join(value)
        return defused(joined) if is_text else joined
    if isinstance(value, str):
        return defused(value) if is_text else value
    if isinstance(value, int):
        return str(value)
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode().strip('"')
