"""No regular expression of ours can be kept busy by whoever writes the text (ReDoS).

By their form, not by time: a repetition without end inside another one has to begin each turn with a separator, or the
same text can be divided in exponentially many ways. Those that still take the square of the length stand only where the
length is bounded."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from kit import contract, formats
from opsfield.options.v1 import field_pb2

ROOT = Path(__file__).parents[2]
FOLDERS = ("kit", "gateway", "services", "edge_agent/src")
FUNCTIONS = {"compile", "fullmatch", "match", "search", "sub", "split", "findall", "finditer"}
_parser: Any = re._parser  # type: ignore[attr-defined]
REPEATS = {"MAX_REPEAT", "MIN_REPEAT"}
SEPARATORS = {"LITERAL", "IN"}
LONGEST = 2000


# Patterns that are not written where they are used, and why none of them explodes.
ELSEWHERE = {
    ("gateway/router.py", "'([^/]+?)'.join((re.escape(literal) for literal in literals))"): "parts of one segment",
    ("gateway/schemas.py", "TIME_PATTERN"): "without repetitions; pydantic's engine takes linear time",
    ("gateway/schemas.py", "_pattern(field)"): "of kit/formats.py",
    ("kit/formats.py", "pattern.replace('$', '\\\\Z')"): "each is looked at here",
    ("services/agent_runtime/reasoners/assets/operating_systems.py", "pattern"): "one repetition each",
    ("services/agent_runtime/reasoners/billing/schemas.py", "_DAY"): "without endless repetitions",
    ("services/agent_runtime/reasoners/billing/schemas.py", "_DECIMAL"): "one repetition after another",
    (
        "services/agent_runtime/reasoners/cues.py",
        "f'(?<!\\\\w){re.escape(phrase)}(?!\\\\w)'.replace('\\\\*', '\\\\w*')",
    ): "phrases of ours",
    ("services/platform/secrets/keys.py", "re.escape(self.name[:-1]) + '[a-z0-9][a-z0-9_-]{0,62}'"): "bounded",
}


def patterns() -> Iterator[tuple[str, ast.expr]]:
    """File and pattern of each call of `re`, and of each call that takes a `pattern` by that name."""
    for path in (each for folder in FOLDERS for each in (ROOT / folder).rglob("*.py") if "tests" not in each.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function, name = node.func, str(path.relative_to(ROOT))
            is_re = isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "re"
            if is_re and function.attr in FUNCTIONS:  # type: ignore[attr-defined]
                yield name, node.args[0]
            yield from ((name, each.value) for each in node.keywords if each.arg == "pattern")


def literals() -> Iterator[tuple[str, str]]:
    for path, pattern in patterns():
        if isinstance(pattern, ast.Constant):
            yield path, pattern.value if isinstance(pattern.value, str) else pattern.value.decode("latin-1")  # type: ignore[union-attr]


def is_explosive(pattern: str) -> bool:
    return _nests(_parser.parse(pattern), None)


def _nests(parts: Iterable[tuple[Any, Any]], within: Any) -> bool:
    """`within`: the body of the endless repetition around, if there is one."""
    for operator, value in parts:
        name = str(operator)
        if name in REPEATS:
            _, most, body = value
            is_endless = most == _parser.MAXREPEAT
            if is_endless and within is not None and str(within[0][0]) not in SEPARATORS:
                return True
            if _nests(body, _unwrapped(body) if is_endless else within):
                return True
        elif name == "SUBPATTERN":
            if _nests(value[3], within):
                return True
        elif name == "BRANCH" and any(_nests(each, within) for each in value[1]):
            return True
    return False


def _unwrapped(body: Any) -> Any:
    while len(body) == 1 and str(body[0][0]) == "SUBPATTERN":
        body = body[0][1][3]
    return body


@pytest.mark.parametrize("pattern", ["(a+)+$", "(?:[a-z]*)*", r"(\w+\s?)*!", "((a|b)+,?)+"])
def test_what_explodes_is_known(pattern: str) -> None:
    assert is_explosive(pattern)


def test_no_pattern_explodes() -> None:
    found = [*literals(), *(("kit/formats.py", each) for each in formats.PATTERNS.values())]
    assert len(found) > 40
    assert [each for each in found if is_explosive(each[1])] == []


def test_no_pattern_comes_from_elsewhere_unseen() -> None:
    found = {(path, ast.unparse(each)) for path, each in patterns() if not isinstance(each, ast.Constant)}
    assert found == set(ELSEWHERE)


def test_what_is_matched_in_the_square_of_its_length_is_bounded() -> None:
    """An e-mail address of dots alone; and URLs, which are parsed as well."""
    costly = {field_pb2.EMAIL, field_pb2.URL}
    fields = {field.full_name: field for rpc in contract.load() for field in _texts(rpc.descriptor.input_type, set())}
    bounds = {
        name: contract.field_options(field).max_length
        for name, field in fields.items()
        if contract.field_options(field).format in costly and not contract.is_output_only(field)
    }
    assert bounds
    assert [name for name, most in bounds.items() if not 0 < most <= LONGEST] == []


def _texts(message: Any, seen: set[str]) -> Iterator[FieldDescriptor]:
    if message.full_name in seen or message.full_name.startswith("google."):
        return
    seen.add(message.full_name)
    for field in message.fields:
        if field.message_type is not None:
            yield from _texts(field.message_type, seen)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield field
