"""List requests, read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Invalid
from kit.paging import Listing, like_pattern
from kit.tests.protos import descriptor, message_class
from opsfield.common.v1 import page_pb2

Request = message_class("ListSamplesRequest")


def listing(**fields: object) -> Listing:
    return Listing.of(Request(**{"sort_by": "name", **fields}), descriptor("Sample"))


def test_what_is_not_said_has_its_default() -> None:
    read = listing()
    assert (read.limit, read.offset, read.direction, read.q) == (50, 0, "DESC", "")
    assert (read.filters, read.values) == ({}, {})


def test_the_default_order_is_by_creation() -> None:
    with pytest.raises(Invalid) as refused:
        listing(sort_by="")
    assert refused.value.errors[0].message == "must be one of name, color"


@pytest.mark.parametrize("unknown", ["secret", "Name", "short_tags", "name; DROP TABLE samples", "name,color"])
def test_only_a_sortable_field_can_be_sorted_by(unknown: str) -> None:
    with pytest.raises(Invalid) as refused:
        listing(sort_by=unknown)
    assert [(error.path, error.message) for error in refused.value.errors] == [("sortBy", "must be one of name, color")]


def test_the_answer_says_how_it_is_sorted_and_paged() -> None:
    read = listing(limit=10, offset=20, sort_order=page_pb2.ASC)
    answer = read.answer([], 23)
    assert answer["sort"] == page_pb2.Sort(by="name", order=page_pb2.ASC)
    assert answer["page"] == page_pb2.Page(limit=10, offset=20, returned=0, total=23)
    assert listing().answer([], 0)["sort"].order == page_pb2.DESC


def test_filters_are_what_was_sent_in_the_words_of_the_contract() -> None:
    read = listing(color=2, is_open=False, owner_id="x")
    assert read.filters == {"color": "dark_blue", "isOpen": "false", "ownerId": "x"}
    assert read.values == {"color": "dark_blue", "is_open": False, "owner_id": "x"}


def test_an_enum_that_says_nothing_is_no_filter() -> None:
    assert listing(color=0).values == {}


def matches(pattern: str, text: str) -> bool:
    """LIKE, as PostgreSQL has it."""
    parts = {"%": ".*", "_": "."}
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join(parts.get(token) or re.escape(token[-1]) for token in tokens)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def test_wildcards_stand_for_themselves() -> None:
    assert like_pattern("50%_\\") == "%50\\%\\_\\\\%"


@given(st.text(), st.text(max_size=5), st.text(max_size=5))
def test_a_text_is_found_anywhere_in_any_case(q: str, before: str, after: str) -> None:
    assert matches(like_pattern(q), (before + q + after).lower()) or (before + q + after).lower() != (
        before.lower() + q.lower() + after.lower()
    )


@given(st.text(alphabet="%_\\ab"), st.text(alphabet="%_\\ab"))
def test_nothing_else_is_found(q: str, text: str) -> None:
    assert matches(like_pattern(q), text) == (q in text)
