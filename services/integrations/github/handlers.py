"""GithubService: what GitHub delivers, and how much of it there was."""

import orjson

from kit.database import Session
from kit.errors import Malformed, NotFound
from kit.live_settings import SettingsReader
from kit.logs import get_logger
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.integrations.v1.github_pb2 import (
    GithubDelivery,
    GithubReceipt,
    ListGithubDeliveriesRequest,
    ListGithubDeliveriesResponse,
    TakeGithubWebhookRequest,
)
from opsfield.integrations.v1.pipelines_pb2 import PipelineFailed, PipelineRun, PipelineSucceeded
from services.integrations.github import rules, store
from services.integrations.github.rules import Json, Run

SOURCE = "github"

log = get_logger(__name__)


class GithubHandlers:
    """That GitHub signed the body, and whose it is, is known by now (kit/webhooks.py)."""

    def __init__(self, settings: SettingsReader) -> None:
        self._settings = settings

    async def workspace_of(self, body: bytes) -> str:
        """The workspace that has claimed what a delivery is about. Raises Malformed for what is no delivery, NotFound
        when nobody has claimed it."""
        repository = rules.repository_of(_delivery(body))
        lines = (await self._settings.platform()).value.settings.github.repositories
        workspace = rules.workspace_of(repository, lines) if repository else None
        if workspace is None:
            raise NotFound(
                f"The setting github.repositories gives {repository or 'what this is about'} to no workspace.",
                code="repository-unknown",
            )
        return workspace

    async def take_github_webhook(self, request: TakeGithubWebhookRequest, work: UnitOfWork) -> GithubReceipt:
        delivery = _delivery(request.payload.data)
        event = rules.event_of(delivery)
        await store.count(work, event, rules.action_of(delivery))
        run = rules.run_of(delivery, work.now)
        if run is None:
            return GithubReceipt(event=event, outcome=GithubReceipt.COUNTED)
        try:
            failed_before = await store.note(work, run)
        except store.Late:
            log.info("run left aside: a later one is known", repository=run.repository, pipeline=run.name)
            return GithubReceipt(event=event, outcome=GithubReceipt.COUNTED)
        told = _message(run)
        if run.failed:
            work.emit(PipelineFailed(run=told), key=run.fingerprint)
        elif failed_before:
            work.emit(PipelineSucceeded(run=told), key=run.fingerprint)
        log.info("pipeline", repository=run.repository, pipeline=run.name, failed=run.failed, branch=run.branch)
        outcome = GithubReceipt.PIPELINE_FAILED if run.failed else GithubReceipt.PIPELINE_SUCCEEDED
        return GithubReceipt(event=event, outcome=outcome)

    async def list_github_deliveries(
        self, request: ListGithubDeliveriesRequest, session: Session
    ) -> ListGithubDeliveriesResponse:
        listing = Listing.of(request, GithubDelivery.DESCRIPTOR)
        rows, total = await store.DELIVERIES.page(session, listing)
        return ListGithubDeliveriesResponse(**listing.answer([GithubDelivery(**row) for row in rows], total))


def _delivery(body: bytes) -> Json:
    try:
        delivery = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed("The body is no JSON.", code="body-malformed") from error
    if not isinstance(delivery, dict):
        raise Malformed("The body is no JSON object.", code="body-malformed")
    return delivery


def _message(run: Run) -> PipelineRun:
    return PipelineRun(
        source=SOURCE,
        kind=run.kind.upper(),
        fingerprint=run.fingerprint,
        repository=run.repository,
        name=run.name,
        branch=run.branch,
        on_default_branch=run.on_default_branch,
        told_in_parts=run.told_in_parts,
        commit=run.commit,
        actor=run.actor,
        conclusion=run.conclusion,
        url=run.url,
        ended_at=run.ended_at,
    )
