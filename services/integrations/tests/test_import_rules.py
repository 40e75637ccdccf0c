"""Rows are read the same wherever the bytes are cut, and everything that cannot be read says so."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.integrations.exports.rules import cell, defused
from services.integrations.imports.rules import Record, read_csv, read_header, read_jsonl, undefused
from services.integrations.jobs.rules import MOST_PART_BYTES, place

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
CELLS = st.text("ab,;\t\"'\r\n=ü ", max_size=8)


def whole(data: bytes, columns: list[str], delimiter: str = ",", most: int = 10_000) -> list[Record]:
    found, taken = read_csv(data, columns, delimiter, is_last=True, most=most)
    assert taken == len(data)
    return found


def written(rows: list[list[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6), st.integers(0, 200), st.sampled_from(",;\t"))
def test_rows_are_the_same_wherever_the_bytes_are_cut(rows: list[list[str]], cut: int, delimiter: str) -> None:
    data = written(rows, delimiter)
    first, taken = read_csv(data[:cut], ["a", "b", "c"], delimiter, is_last=cut >= len(data), most=10_000)
    rest = whole(data[taken:], ["a", "b", "c"], delimiter)
    values = [record.values for record in [*first, *rest]]
    assert values == [dict(zip("abc", row, strict=True)) for row in rows]


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6), st.integers(1, 3))
def test_rows_are_the_same_in_chunks_of_any_size(rows: list[list[str]], most: int) -> None:
    data, found = written(rows), []
    while data:
        records, taken = read_csv(data, ["a", "b"], ",", is_last=True, most=most)
        assert len(records) <= most
        assert taken
        found += records
        data = data[taken:]
    assert [record.values for record in found] == [dict(zip("ab", row, strict=True)) for row in rows]


@settings(deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_nothing_makes_it_fail(data: bytes, is_last: bool) -> None:
    read_header(data, is_last=is_last)
    for found, taken in (
        read_csv(data, ["a", "b"], ",", is_last=is_last, most=100),
        read_jsonl(data, is_last=is_last, most=100),
    ):
        assert taken == len(data) if is_last else taken <= len(data)
        assert all((record.values is None) != (record.problem is None) for record in found)


@pytest.mark.parametrize(
    ("data", "columns", "delimiter"),
    [
        (b"Name,City\r\n", ["Name", "City"], ","),
        (b"\xef\xbb\xbfName;City\n", ["Name", "City"], ";"),
        (b"Name\tCity, State", ["Name", "City, State"], "\t"),
        (b'"a;b;c",d\n', ["a;b;c", "d"], ","),
        (b'"two\nlines";b\n', ["two\nlines", "b"], ";"),
        (b"Name\n", ["Name"], ","),
    ],
)
def test_headers(data: bytes, columns: list[str], delimiter: str) -> None:
    header = read_header(data + b"rest", is_last=True) if data.endswith(b"\n") else read_header(data, is_last=True)
    assert header is not None
    assert (header.columns, header.delimiter, header.size) == (columns, delimiter, len(data))


@pytest.mark.parametrize("data", [b"", b"\xff\xfeN\0a\0", b'"open\n', b"\n"])
def test_what_is_no_header(data: bytes) -> None:
    assert read_header(data, is_last=True) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'"a"b,c\n', "cannot be read"),
        (b'"never closed,c\n', "cannot be read"),
        (b"a,b,c\n", "has 3 cells, the header 2"),
        (b"\xff,b\n", "is not written in UTF-8"),
    ],
)
def test_bad_rows_say_why_and_those_before_are_read(line: bytes, problem: str) -> None:
    good, bad = whole(b"a,b\n" + line, ["x", "y"])
    assert good.values == {"x": "a", "y": "b"}
    assert bad.values is None
    assert problem in str(bad.problem)


def test_a_quote_that_is_never_closed_takes_no_more_than_a_field_may_have() -> None:
    data = b'"open,1\n' + b"fine,2\n" * 60_000
    found = whole(data, ["x", "y"], most=100_000)
    assert found[0].values is None
    assert sum(1 for record in found if record.values == {"x": "fine", "y": "2"}) > 30_000


def test_short_rows_are_filled_and_empty_lines_are_none() -> None:
    assert [each.values for each in whole(b"a\n\n,\r\n\n", ["x", "y"])] == [{"x": "a", "y": ""}, {"x": "", "y": ""}]


@settings(deadline=None)
@given(st.lists(st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=3), max_size=5))
def test_json_lines(values: list[dict[str, object]]) -> None:
    data = "\n\n".join(json.dumps(value) for value in values).encode()
    found, taken = read_jsonl(data, is_last=True, most=100)
    assert taken == len(data)
    assert [record.values for record in found] == values


@pytest.mark.parametrize("line", ["[1]", "{", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', "[" * 9999])
def test_lines_that_are_no_json_object(line: str) -> None:
    [record], _ = read_jsonl(line.encode(), is_last=True, most=100)
    assert record.values is None


def test_fractions_keep_their_digits() -> None:
    [record], _ = read_jsonl(b'{"a": 12.3400000000000000001}', is_last=True, most=1)
    assert record.values == {"a": "12.3400000000000000001"}


@given(st.text("'=+-@\t\ra1 ", max_size=6) | TEXT)
def test_what_is_defused_runs_nothing_and_comes_back(text: str) -> None:
    assert not defused(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert undefused(defused(text)) == text


@pytest.mark.parametrize(
    ("value", "is_text", "expected"),
    [
        ("=HYPERLINK(1)", True, "'=HYPERLINK(1)"),
        ("-12.50", False, "-12.50"),
        (-3, False, "-3"),
        (None, True, ""),
        (True, False, "true"),
        (["+a", "b"], True, "'+a;b"),
        ([], True, ""),
        ([{"a": "=1"}], False, '[{"a":"=1"}]'),
    ],
)
def test_cells(value: object, is_text: bool, expected: str) -> None:
    assert cell(value, is_text=is_text) == expected


@given(st.lists(st.integers(1, MOST_PART_BYTES), max_size=20))
def test_parts_are_never_too_large_and_pieces_never_lost(sizes: list[int]) -> None:
    parts = filled = 0
    held: dict[int, int] = {}
    for size in sizes:
        parts, start = place(parts, filled, size)
        assert held.get(parts - 1, 0) == start
        held[parts - 1] = filled = start + size
    assert sum(held.values()) == sum(sizes)
    assert all(size <= MOST_PART_BYTES for size in held.values())
    assert sorted(held) == list(range(parts))
