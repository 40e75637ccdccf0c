"""What may happen to a knowledge article."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.knowledge.publication import Publication

LIFECYCLE = Lifecycle(
    noun="knowledge article",
    initial=states("draft"),
    moves={
        "draft": states("published"),
        "published": states("draft archived"),
        "archived": states("draft"),
    },
)
PUBLICATION = Publication(content=("title", "body"))
LONGEST_SLUG = 100

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what an article may not become; make a published one that is edited a draft, give it a slug. Raises
    IllegalTransition, and Invalid for a slug that is none and a client without, or missing from, its visibility."""
    del now
    PUBLICATION.withdraw(before, after)
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if PUBLICATION.forget(before, after):
        after["published_at"] = after["published_by"] = None
    after["slug"] = after["slug"] or (before["slug"] if before else slug_of(after["title"], after["id"]))
    if wrong := list(_wrong_fields(after)):
        raise Invalid.fields(*wrong)


def publish(article: dict[str, Any], by: str, now: datetime) -> None:
    """Note the content as what is read from now on."""
    article["published"] = PUBLICATION.copy(article)
    article["published_at"] = now
    article["published_by"] = by


def slug_of(title: str, article_id: str) -> str:
    """`Wi-Fi: été & hiver` → `wi-fi-ete-hiver`; from the end of the id where a title has no Latin letter or digit."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    return words[:LONGEST_SLUG].rstrip("-") or f"article-{article_id[-12:]}"


def _wrong_fields(article: dict[str, Any]) -> Iterator[FieldError]:
    if not _SLUG.fullmatch(article["slug"]):
        yield FieldError("slug", 'must be lower-case words joined by dashes, such as "reset-a-password"')
    if article["visibility"] == "one_client" and not article["client_id"]:
        yield FieldError("clientId", "must name the client that may read it")
    if article["visibility"] != "one_client" and article["client_id"]:
        yield FieldError("clientId", "goes with the visibility one_client only")
