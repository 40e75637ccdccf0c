"""Loads runbooks and knowledge articles."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from opsfield.ops.v1.knowledge_articles_pb2 import KnowledgeArticle
from opsfield.ops.v1.runbooks_pb2 import Runbook
from services.ops.demo.content_articles import ARTICLES
from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_runbooks import RUNBOOKS
from services.ops.demo.loader import DemoLoader, Facts, Story

_DAY = timedelta(days=1)
# The states on the way to each.
_RUNBOOK_WAY = {
    "draft": (),
    "in_review": ("IN_REVIEW",),
    "published": ("IN_REVIEW", "PUBLISHED"),
    "deprecated": ("IN_REVIEW", "PUBLISHED", "DEPRECATED"),
    "archived": ("IN_REVIEW", "PUBLISHED", "DEPRECATED", "ARCHIVED"),
}
_ARTICLE_WAY = {"draft": (), "published": ("PUBLISHED",), "archived": ("PUBLISHED", "ARCHIVED")}


async def load_runbooks(loader: DemoLoader, now: datetime) -> Facts:
    """The ids of the runbooks, by title."""

    async def story(story: Story) -> Facts:
        made = {}
        for number, (state, runbook) in enumerate(RUNBOOKS):
            at = now - (180 - 5 * number) * _DAY
            runbook_id = str((await story.create(runbook, at=at, by="elena.petrova")).id)
            for step, status in enumerate(_RUNBOOK_WAY[state], 1):
                await story.change(runbook_id, Runbook(status=status), at=at + 3 * step * _DAY, by="amira.haddad")
            made[runbook.title] = runbook_id
        return made

    return await loader.tell("runbooks", story)


async def load_articles(loader: DemoLoader, clients: Sequence[Facts], now: datetime) -> None:
    """Articles, some of them for one client alone."""
    by_short = {client.short: facts["client"] for client, facts in zip(CLIENTS, clients, strict=True)}

    async def story(story: Story) -> Facts:
        for number, article in enumerate(ARTICLES):
            at = now - (170 - 7 * number) * _DAY
            message = KnowledgeArticle(
                title=article.title,
                body=article.body,
                category=article.category,
                visibility=article.visibility,
                client_id=by_short[article.client] if article.client else None,
                tags=article.tags,
                review_due_on=(now + (20 + 30 * number) * _DAY).date().isoformat(),
            )
            article_id = str((await story.create(message, at=at, by="chiara.romano")).id)
            for step, status in enumerate(_ARTICLE_WAY[article.state], 1):
                changes = KnowledgeArticle(status=status)
                await story.change(article_id, changes, at=at + 2 * step * _DAY, by="elena.petrova")
        return {}

    await loader.tell("articles", story)
