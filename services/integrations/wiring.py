"""What the integrations service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit import contract
from kit.live_settings import SettingsReader
from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler, bind_service
from kit.sealing import Seal
from kit.secrets import SecretReader
from kit.webhooks import Webhook
from kit.wiring import Foundation, Wire, Wiring
from services.integrations.accounting.books import Opener
from services.integrations.accounting.connection import Connections, Where
from services.integrations.accounting.handlers import AccountingHandlers
from services.integrations.accounting.syncing import Sync
from services.integrations.exports.exporting import Export
from services.integrations.files import Files
from services.integrations.github.handlers import GithubHandlers
from services.integrations.imports.importing import Import
from services.integrations.jobs.handlers import JobHandlers
from services.integrations.jobs.links import Links
from services.integrations.jobs.rules import SYNC
from services.integrations.jobs.steps import Run
from services.integrations.jobs.store import BACKLOG, Job
from services.integrations.jobs.sweep import file_sweep
from services.integrations.jobs.worker import Worker
from services.integrations.notifications.consumer import subscription as notifications
from services.integrations.notifications.delivery import Delivery
from services.integrations.notifications.handlers import NotificationHandlers
from services.integrations.notifications.kinds import CHANNELS, RULES
from services.integrations.notifications.sending import Sender
from services.integrations.ops_client import OpsClient
from services.integrations.settings import Settings
from services.integrations.uploads.handlers import UploadHandlers
from services.integrations.uploads.sweep import upload_sweeps

NAME = "integrations"
KINDS = (CHANNELS, RULES)


@dataclass(frozen=True)
class Parts:
    """What handlers work with."""

    settings: SettingsReader
    secrets: SecretReader
    sender: Sender
    files: Files
    links: Links


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    kinds = [ResourceHandlers(kind, KINDS) for kind in KINDS]
    return {
        **{path: handler for each in kinds for path, handler in each.by_path().items()},
        **bind_service(NAME, "GithubService", GithubHandlers(parts.settings)),
        **bind_service(NAME, "NotificationService", NotificationHandlers(parts.secrets, parts.sender)),
        **bind_service(NAME, "UploadService", UploadHandlers(parts.files)),
        **bind_service(NAME, "JobService", JobHandlers(parts.files, parts.links)),
        **bind_service(NAME, "AccountingService", AccountingHandlers(parts.settings)),
    }


def wire(settings: Settings) -> Wire:
    """What `python -m services.integrations` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        sender = Sender(internal=settings.reaches_private_networks, seconds=settings.notification_seconds)
        delivery = Delivery(foundation.database, foundation.relay_url, foundation.secrets, sender)
        files = Files(settings.artifacts_url)
        links = Links(*foundation.services.signer.derived_keys("job artifacts"))
        worker = _worker(settings, foundation, files)
        days = settings.job_files_days
        job_files = file_sweep(foundation.database, foundation.relay_url, files, days=days)
        uploads = upload_sweeps(foundation.database, foundation.relay_url, files, used_days=days)
        sweeps = (*delivery.sweeps, job_files, *uploads)
        workspace_of = GithubHandlers(foundation.settings).workspace_of
        return Wiring(
            handlers=handlers(Parts(foundation.settings, foundation.secrets, sender, files, links)),
            subscriptions=(notifications(),),
            webhooks={_path("TakeGithubWebhook"): Webhook(settings.github_webhook_enabled, workspace_of)},
            loops=(worker.run, *(sweep.run for sweep in sweeps)),
            backlogs={BACKLOG: ("waiting", "running")},
        )

    return put_together


def _worker(settings: Settings, foundation: Foundation, files: Files) -> Worker:
    ops = OpsClient(foundation.services)
    seal = Seal(*foundation.services.signer.derived_keys("accounting connections"))
    opener = Opener(
        foundation.database,
        files,
        foundation.settings,
        Connections(foundation.database, foundation.secrets, seal),
        Where(settings.quickbooks_url, settings.quickbooks_discovery_url, settings.accounting_seconds),
        Where(settings.xero_url, settings.xero_token_url, settings.accounting_seconds),
    )

    def begin(job: Job) -> Run:
        if job.type == SYNC:
            return Sync(foundation.database, ops, opener.open)
        work = Import if job.type == "import" else Export
        return work(job, foundation.database, files, ops)

    return Worker(
        foundation.database,
        foundation.relay_url,
        files,
        begin,
        slots=settings.job_slots,
        lease_seconds=settings.job_lease_seconds,
        patience=settings.job_patience_seconds,
    )


def _path(name: str) -> str:
    return contract.by_name(NAME)[name].path
