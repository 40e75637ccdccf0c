"""Runbooks and articles: what is published stays readable while the next edition is written."""

import asyncio

import pytest

from opsfield.ops.v1.knowledge_articles_pb2 import ArticleContent, KnowledgeArticle
from opsfield.ops.v1.runbooks_pb2 import Runbook, RunbookInput, RunbookStep
from services.ops.tests.client import Ops
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


async def test_a_runbook_is_written_reviewed_published_and_revised(ops: Ops, workspace: str) -> None:
    steps = [
        RunbookStep(title="Find the backup", instructions="Look in the vault.", expected_minutes=5, idempotent=True),
        RunbookStep(title="Restore it", kind=RunbookStep.SCRIPT, rollback="Delete the copy."),
    ]
    inputs = [RunbookInput(name="host", type=RunbookInput.ASSET, required=True)]
    runbook = await ops.create(Runbook(title="Restore a file", steps=steps, inputs=inputs))
    assert (runbook.status, runbook.revision, runbook.HasField("published")) == (Runbook.DRAFT, 0, False)
    assert runbook.steps[0].kind == RunbookStep.MANUAL
    await ops.patch(runbook, status=Runbook.IN_REVIEW)
    first = await ops.of(workspace, subject="bob").patch(runbook, status=Runbook.PUBLISHED)
    assert (first.revision, first.published.revision, first.published.published_by) == (1, 1, "bob")
    assert first.published.published_at == first.updated_at
    assert (list(first.published.steps), list(first.published.inputs)) == (list(runbook.steps), inputs)

    edited = await ops.patch(runbook, title="Restore files")
    assert (edited.status, edited.revision) == (Runbook.DRAFT, 1)
    assert edited.published == first.published
    await ops.patch(runbook, status=Runbook.IN_REVIEW)
    second = await ops.patch(runbook, status=Runbook.PUBLISHED)
    assert (second.revision, second.published.title, second.published.published_by) == (2, "Restore files", "ada")

    deprecated = await ops.patch(runbook, status=Runbook.DEPRECATED)
    assert deprecated.published == second.published
    await ops.patch(runbook, status=Runbook.ARCHIVED)
    assert not (await ops.patch(runbook, status=Runbook.DRAFT)).HasField("published")
    assert (await ops.page("Runbooks", status=Runbook.DRAFT, q="restore files")).page.total == 1


async def test_what_is_published_can_be_put_back_as_it_was_read(ops: Ops) -> None:
    runbook = await ops.create(Runbook(title="Restore", steps=[RunbookStep(title="Look")]))
    await ops.patch(runbook, status=Runbook.IN_REVIEW)
    published = await ops.patch(runbook, status=Runbook.PUBLISHED)
    assert await ops.replace(published) == published


async def test_a_runbook_without_steps_cannot_be_published(ops: Ops) -> None:
    runbook = await ops.create(Runbook(title="Restore"))
    await ops.patch(runbook, status=Runbook.IN_REVIEW)
    async with refused(422, path="steps"):
        await ops.patch(runbook, status=Runbook.PUBLISHED)
    async with refused(422, path="steps[0].title"):
        await ops.patch(runbook, steps=[RunbookStep()])
    async with refused(422, path="steps"):
        await ops.patch(runbook, steps=[RunbookStep(title="Look")] * 101)


async def test_an_article_is_published_and_rewritten_while_it_is_read(ops: Ops) -> None:
    client = await ops.create_client()
    article = await ops.create(
        KnowledgeArticle(
            title="Scan to e-mail",
            body="Press *Scan*.",
            visibility=KnowledgeArticle.ONE_CLIENT,
            client_id=client.id,
            review_due_on="2027-01-31",
        )
    )
    assert (article.slug, article.status, article.helpful_count) == ("scan-to-e-mail", KnowledgeArticle.DRAFT, 0)
    published = await ops.patch(article, status=KnowledgeArticle.PUBLISHED)
    assert (published.published_by, published.published_at) == ("ada", published.updated_at)
    assert await ops.replace(published) == published

    edited = await ops.patch(article, body="Press *Scan*, then *Send*.")
    assert edited.status == KnowledgeArticle.DRAFT
    assert edited.published == ArticleContent(title="Scan to e-mail", body="Press *Scan*.")
    again = await ops.patch(article, status=KnowledgeArticle.PUBLISHED)
    assert again.published.body == "Press *Scan*, then *Send*."

    found = await ops.page("KnowledgeArticles", client_id=client.id, slug="scan-to-e-mail", sort_by="reviewDueOn")
    assert [each.id for each in found.data] == [article.id]
    async with refused(409, "in-use"):
        await ops.delete(client)


async def test_who_may_read_an_article_is_said_without_contradiction(ops: Ops) -> None:
    article = await ops.create(KnowledgeArticle(title="A", body="B"))
    async with refused(422, path="clientId"):
        await ops.patch(article, visibility=KnowledgeArticle.ONE_CLIENT)
    async with refused(422, path="clientId"):
        await ops.patch(article, visibility=KnowledgeArticle.ONE_CLIENT, client_id=NOBODY)
    async with refused(422, path="clientId"):
        await ops.patch(article, client_id=(await ops.create_client()).id)


async def test_a_slug_is_unique_in_the_workspace(ops: Ops, workspace: str) -> None:
    made = await asyncio.gather(
        *(ops.create(KnowledgeArticle(title="Wi-Fi", body=str(each))) for each in range(4)), return_exceptions=True
    )
    assert sum(isinstance(each, KnowledgeArticle) for each in made) == 1
    async with refused(409, "already-exists", path="slug"):
        await ops.create(KnowledgeArticle(title="Other", body="B", slug="wi-fi"))
    await ops.create(KnowledgeArticle(title="Wi-Fi", body="B", slug="wi-fi-2"))
    await ops.of(f"{workspace}-2").create(KnowledgeArticle(title="Wi-Fi", body="B"))


@pytest.mark.parametrize("status", [KnowledgeArticle.PUBLISHED, KnowledgeArticle.ARCHIVED])
async def test_an_article_starts_as_a_draft(ops: Ops, status: KnowledgeArticle.Status) -> None:
    async with refused(409, "illegal-transition"):
        await ops.create(KnowledgeArticle(title="A", body="B", status=status))
