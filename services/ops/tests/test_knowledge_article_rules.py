"""What may happen to a knowledge article."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import IllegalTransition, Invalid
from services.ops.knowledge.articles.rules import judge, publish, slug_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ID = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"
STATES = ("draft", "published", "archived")
LEGAL = {None: {"draft"}, "draft": {"published"}, "published": {"draft", "archived"}, "archived": {"draft"}}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]


def article(status: str = "draft", **fields: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "status": status,
        "title": "Reset a password",
        "body": "Ask Ann.",
        "slug": "reset",
        "visibility": "internal",
        "client_id": None,
        "category": None,
        "published": None,
        "published_at": None,
        "published_by": None,
        **fields,
    }


def changed(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """The article after some of its fields were set."""
    after = {**(before or article()), **fields}
    judge(before, after, NOW)
    return after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    assert changed(article(before) if before else None, status=after)["status"] == after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        changed(article(before) if before else None, status=after)
    assert refused.value.detail.endswith(f"legal: {', '.join(sorted(LEGAL[before]))}.")


@pytest.mark.parametrize(("field", "status"), [("title", "draft"), ("body", "draft"), ("category", "published")])
def test_another_title_or_body_makes_a_published_one_a_draft(field: str, status: str) -> None:
    assert changed(article("published"), **{field: "New"})["status"] == status


def test_publishing_keeps_the_content_and_who_published_it() -> None:
    published = article("published")
    publish(published, "ada", NOW)
    assert published["published"] == {"title": "Reset a password", "body": "Ask Ann."}
    assert (published["published_at"], published["published_by"]) == (NOW, "ada")
    back = changed({**published, "status": "archived"}, status="draft")
    assert (back["published"], back["published_at"], back["published_by"]) == (None, None, None)


@pytest.mark.parametrize(
    ("visibility", "client_id", "is_right"),
    [
        ("internal", None, True),
        ("all_clients", None, True),
        ("one_client", "c-1", True),
        ("internal", "c-1", False),
        ("all_clients", "c-1", False),
        ("one_client", None, False),
    ],
)
def test_a_client_is_named_exactly_where_one_may_read(visibility: str, client_id: str | None, is_right: bool) -> None:
    if is_right:
        assert changed(None, visibility=visibility, client_id=client_id)
        return
    with pytest.raises(Invalid) as refused:
        changed(None, visibility=visibility, client_id=client_id)
    assert [error.path for error in refused.value.errors] == ["clientId"]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Reset a password", "reset-a-password"),
        ("  Wi-Fi: été & hiver! ", "wi-fi-ete-hiver"),
        ("パスワード", "article-0123456789ab"),
        ("a" * 99 + " b", "a" * 99),
    ],
)
def test_a_slug_is_made_of_the_title(title: str, slug: str) -> None:
    assert slug_of(title, ID) == slug
    assert changed(None, title=title, slug="")["slug"] == slug


def test_a_slug_stays_when_it_is_left_out() -> None:
    assert changed(article(), title="New", slug="")["slug"] == "reset"


@pytest.mark.parametrize("slug", ["Reset", "reset a", "-reset", "reset--a", "été"])
def test_a_slug_that_is_none_is_refused(slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(article(), slug=slug)
    assert [error.path for error in refused.value.errors] == ["slug"]
