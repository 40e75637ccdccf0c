"""What telemetry tells: conditions become alerts, observations of assets their status."""

from collections.abc import Sequence

from google.protobuf.message import Message

from kit import contract, event_messages
from kit.consumer import Subscription
from kit.errors import Conflict, NotFound
from kit.events import ReceivedEvent
from kit.live_settings import SettingsReader
from kit.logs import get_logger
from kit.resources.convert import row_of
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved, ConditionCleared, ConditionRaised
from services.ops.directory.assets import discovery
from services.ops.directory.assets import store as assets
from services.ops.directory.assets.handlers import AssetHandlers
from services.ops.directory.assets.kind import ASSETS
from services.ops.monitoring.alerts import intake
from services.ops.monitoring.alerts import rules as alert_rules
from services.ops.monitoring.alerts.handlers import AlertHandlers
from services.ops.monitoring.alerts.kind import ALERTS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

NAME = "ops-telemetry"

log = get_logger(__name__)


def subscription(kinds: Sequence[Kind], settings: SettingsReader) -> Subscription:
    """What ops listens to of telemetry. `kinds` are all kinds of the service."""
    consumer = TelemetryConsumer(kinds, settings)
    return Subscription(
        NAME,
        {
            contract.event_topic(ConditionRaised.DESCRIPTOR): consumer.condition_raised,
            contract.event_topic(ConditionCleared.DESCRIPTOR): consumer.condition_cleared,
            contract.event_topic(AssetObserved.DESCRIPTOR): consumer.asset_observed,
        },
    )


class TelemetryConsumer:
    """Handlers of telemetry's events. Each raises Invalid or NotFound for an event that cannot be: it is parked."""

    def __init__(self, kinds: Sequence[Kind], settings: SettingsReader) -> None:
        self._alerts = AlertHandlers(ALERTS, kinds, TicketHandlers(TICKETS, kinds, settings))
        self._assets = AssetHandlers(ASSETS, kinds)

    async def condition_raised(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        said = _fields(event, ConditionRaised)
        asset = await self._asset_of(work, said)
        # What a condition says has the same names as in an alert; it says nothing of the others.
        alert = {each.name: said.get(each.name) for each in ALERTS.writable}
        if asset is not None:
            alert["asset_id"] = asset.id
            alert_rules.belong_to(alert, asset.client_id)
        seen_at = min(said["observed_at"], work.now)
        await intake.raise_or_fold(work, self._alerts, alert, seen_at=seen_at)

    async def _asset_of(self, work: UnitOfWork, said: Row) -> assets.Known | None:
        """The asset that a condition is about; None when it is about none, or its agent has none and does not say
        enough for one. Raises NotFound when the workspace has none by that id or agent."""
        if said["asset_id"] is not None:
            asset = await assets.by_id(work, said["asset_id"])
        elif said["agent_id"] is not None:
            asset = await self._asset_of_agent(work, said)
            if asset is None and said["client_id"] is not None:
                return None
        else:
            return None
        if asset is None:
            known_as = said["asset_id"] or f"of the agent {said['agent_id']}"
            raise NotFound(f"There is no asset {known_as} in the workspace.")
        return asset

    async def _asset_of_agent(self, work: UnitOfWork, said: Row) -> assets.Known | None:
        known = await assets.by_agent(work, said["agent_id"])
        if known is None and said["hostname"] is not None and said["client_id"] is not None:
            # Conditions and observations travel on topics of their own: this one came before what the machine is.
            inventory = {"hostname": said["hostname"]}
            await discovery.asset_of(work, self._assets, {**said, "site_id": None, "inventory": inventory})
            known = await assets.by_agent(work, said["agent_id"])
        return known

    async def condition_cleared(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        said = _fields(event, ConditionCleared)
        # No later than now: one clock that is ahead would make all later signals look late.
        seen_at = min(said["observed_at"], work.now)
        await intake.clear(work, self._alerts, said["fingerprint"], seen_at=seen_at)

    async def asset_observed(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        said = _fields(event, AssetObserved)
        asset_id = said["asset_id"] or await discovery.asset_of(work, self._assets, said)
        if asset_id is None:
            # Deleted, say: it comes back when the agent tells anew what it is.
            log.info("observation left aside", agent=said["agent_id"], reason="the agent has no asset")
        elif said["status"] is not None:
            await self._observe(work, asset_id, said)

    async def _observe(self, work: UnitOfWork, asset_id: str, said: Row) -> None:
        try:
            await self._assets.observe(work, asset_id, status=said["status"], at=said["last_seen_at"] or work.now)
        except Conflict as conflict:
            if conflict.code != "asset-retired":
                raise
            # An agent that goes on on a retired asset is no fault of the event.
            log.info("observation left aside", asset=asset_id, reason=conflict.detail)


def _fields(event: ReceivedEvent, message_class: type[Message]) -> Row:
    """The fields of the event's message, their limits checked; what is new since is left aside. Raises Invalid."""
    message = event_messages.said(event.data, message_class)
    return row_of(message, message.DESCRIPTOR.fields)  # type: ignore[arg-type] # stubs name one type twice
