"""What integrations tells: pipelines that fail become alerts, and end them when they are well again."""

from collections.abc import Sequence

from kit import contract
from kit.consumer import Subscription
from kit.event_messages import said
from kit.events import ReceivedEvent
from kit.instants import instant
from kit.live_settings import SettingsReader
from kit.resources.convert import row_of
from kit.resources.kind import Kind
from kit.unit_of_work import UnitOfWork
from opsfield.integrations.v1.pipelines_pb2 import PipelineFailed, PipelineRun, PipelineSucceeded
from opsfield.ops.v1.alerts_pb2 import Alert, AlertLabel
from services.ops.monitoring.alerts import intake
from services.ops.monitoring.alerts.handlers import AlertHandlers
from services.ops.monitoring.alerts.kind import ALERTS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

NAME = "ops-pipelines"

_LONGEST_TITLE = 200


def subscription(kinds: Sequence[Kind], settings: SettingsReader) -> Subscription:
    """What ops listens to of integrations. `kinds` are all kinds of the service."""
    consumer = PipelineConsumer(kinds, settings)
    return Subscription(
        NAME,
        {
            contract.event_topic(PipelineFailed.DESCRIPTOR): consumer.pipeline_failed,
            contract.event_topic(PipelineSucceeded.DESCRIPTOR): consumer.pipeline_succeeded,
        },
    )


class PipelineConsumer:
    """Handlers of integrations' events. Each raises Invalid for an event that cannot be: it is parked."""

    def __init__(self, kinds: Sequence[Kind], settings: SettingsReader) -> None:
        self._alerts = AlertHandlers(ALERTS, kinds, TicketHandlers(TICKETS, kinds, settings))

    async def pipeline_failed(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        run = said(event.data, PipelineFailed).run
        if not run.told_in_parts:
            alert = row_of(alert_of(run), ALERTS.writable)
            seen_at = min(instant(run.ended_at, "run.endedAt"), work.now)
            await intake.raise_or_fold(work, self._alerts, alert, seen_at=seen_at)

    async def pipeline_succeeded(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        run = said(event.data, PipelineSucceeded).run
        if not run.told_in_parts:
            seen_at = min(instant(run.ended_at, "run.endedAt"), work.now)
            await intake.clear(work, self._alerts, run.fingerprint, seen_at=seen_at)


def alert_of(run: PipelineRun) -> Alert:
    """What an alert says of a run that has failed. Worse is what keeps a release from going out."""
    where = f" on {run.branch}" if run.branch else ""
    what = f"Deployment to {run.name}" if run.kind == PipelineRun.DEPLOYMENT else f"{run.name}{where}"
    is_worse = run.on_default_branch or run.kind == PipelineRun.DEPLOYMENT
    told = (("Built from", run.commit), ("Set going by", run.actor), ("Ended with", run.conclusion), ("See", run.url))
    labels = (("repository", run.repository), ("branch", run.branch), ("revision", run.commit))
    return Alert(
        source=run.source,
        rule=PipelineRun.Kind.Name(run.kind).lower().replace("_", "-"),
        fingerprint=run.fingerprint,
        severity=Alert.HIGH if is_worse else Alert.WARNING,
        title=f"{run.repository}: {what} failed"[:_LONGEST_TITLE],
        description="\n".join(f"{name}: {value}" for name, value in told if value),
        labels=[AlertLabel(name=name, value=value) for name, value in labels if value],
    )
