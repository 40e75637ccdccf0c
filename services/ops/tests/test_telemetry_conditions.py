"""What telemetry tells over Kafka, taken in by the service that runs: conditions become alerts, once each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.stack import Stack
from kit import ids
from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.assets_pb2 import Asset, AssetLifecycle
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved, ConditionCleared, ConditionLabel, ConditionRaised
from services.ops.tests.client import Ops
from services.ops.tests.telemetry import Telemetry
from tests.callers import eventually

NOTHING = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"
# A little in the past: what is ahead of the service's clock counts as now.
START = datetime.now(UTC) - timedelta(hours=1)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def raised(fingerprint: str = "f-1", **fields: Any) -> ConditionRaised:
    said = {"source": "edge-agent", "rule": "disk-free", "title": "Disk full", "severity": ConditionRaised.HIGH}
    return ConditionRaised(**{"fingerprint": fingerprint, "observed_at": after(0), **said, **fields})


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def asset(ops: Ops, client: Client) -> Asset:
    return await ops.create_asset(client, agent_id=ids.new_id())


async def alerts(ops: Ops, **query: Any) -> Sequence[Alert]:
    return list((await ops.page("Alerts", **query)).data)


async def seen(ops: Ops, fingerprint: str = "f-1", **expected: Any) -> Alert:
    """The one alert of a fingerprint, once it is as expected."""

    async def look() -> Alert | None:
        found = await alerts(ops, fingerprint=fingerprint)
        assert len(found) <= 1
        return next((each for each in found if all(getattr(each, k) == v for k, v in expected.items())), None)

    alert: Alert = await eventually(look)
    return alert


async def test_a_condition_becomes_an_alert_that_says_the_same(ops: Ops, telemetry: Telemetry, asset: Asset) -> None:
    labels = [ConditionLabel(name="drive", value="C:")]
    await telemetry.tell(raised(asset_id=asset.id, description="3 % left", labels=labels))
    alert = await seen(ops)
    assert (alert.source, alert.rule, alert.title, alert.severity) == (
        "edge-agent",
        "disk-free",
        "Disk full",
        Alert.HIGH,
    )
    assert (alert.asset_id, alert.client_id, alert.description) == (asset.id, asset.client_id, "3 % left")
    assert [(each.name, each.value) for each in alert.labels] == [("drive", "C:")]
    assert (alert.status, alert.created_by) == (Alert.FIRING, "consumer:ops-telemetry")
    assert alert.first_seen_at.ToDatetime(tzinfo=UTC) == after(0)


async def test_an_event_that_comes_twice_counts_once(ops: Ops, telemetry: Telemetry) -> None:
    await telemetry.tell(raised(), raised("f-last"), twice=True)
    await seen(ops, "f-last")
    assert (await seen(ops)).occurrence_count == 1


async def test_the_same_condition_again_is_one_more_of_it_and_clears(ops: Ops, telemetry: Telemetry) -> None:
    await telemetry.tell(raised(), raised(observed_at=after(1), severity=ConditionRaised.CRITICAL))
    alert = await seen(ops, occurrence_count=2)
    assert (alert.severity, alert.status) == (Alert.CRITICAL, Alert.FIRING)
    await telemetry.tell(ConditionCleared(fingerprint="f-1", observed_at=after(2)))
    resolved = await seen(ops, status=Alert.RESOLVED)
    assert (resolved.id, resolved.resolved_at.ToDatetime(tzinfo=UTC)) == (alert.id, after(2))


async def test_a_condition_that_is_known_by_the_agent_is_about_its_asset(
    ops: Ops, telemetry: Telemetry, asset: Asset
) -> None:
    await telemetry.tell(raised(agent_id=asset.agent_id))
    alert = await seen(ops)
    assert (alert.asset_id, alert.client_id) == (asset.id, asset.client_id)


async def test_an_asset_in_maintenance_is_watched_in_silence(ops: Ops, telemetry: Telemetry, asset: Asset) -> None:
    await ops.patch(asset, maintenance_mode=True)
    await telemetry.tell(raised(asset_id=asset.id))
    assert (await seen(ops)).status == Alert.SUPPRESSED
    await ops.patch(asset, maintenance_mode=False)
    await telemetry.tell(raised(asset_id=asset.id, observed_at=after(1)))
    await seen(ops, status=Alert.FIRING)


async def test_a_clock_that_is_ahead_does_not_silence_those_that_are_right(ops: Ops, telemetry: Telemetry) -> None:
    await telemetry.tell(raised(observed_at=datetime.now(UTC) + timedelta(days=1)))
    alert = await seen(ops)
    assert alert.last_seen_at.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)
    await telemetry.tell(ConditionCleared(fingerprint="f-1", observed_at=datetime.now(UTC) + timedelta(seconds=1)))
    await seen(ops, status=Alert.RESOLVED)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"asset_id": NOTHING}, f"There is no asset {NOTHING} in the workspace."),
        ({"agent_id": "a-0"}, "There is no asset of the agent a-0 in the workspace."),
        ({"client_id": NOTHING}, "The input is not valid: see errors (clientId)."),
        ({"title": ""}, "The input is not valid: see errors (title)."),
        ({"asset_id": "srv-01"}, "The input is not valid: see errors (assetId)."),
        ({"severity": None}, "The input is not valid: see errors (severity)."),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
async def test_what_cannot_be_is_parked_and_the_rest_goes_on(
    ops: Ops, telemetry: Telemetry, fields: dict[str, Any], reason: str
) -> None:
    key = ids.new_id()
    await telemetry.tell(raised(**fields), raised("f-last"), key=key)
    assert await telemetry.parked(ConditionRaised, key) == reason
    await seen(ops, "f-last")
    assert len(await alerts(ops)) == 1


async def test_another_workspaces_asset_is_none(ops: Ops, telemetry: Telemetry, asset: Asset, stack: Stack) -> None:
    other, key = Telemetry(stack.kafka_bootstrap, "another"), ids.new_id()
    await other.tell(raised(asset_id=asset.id), key=key)
    assert "There is no asset" in await other.parked(ConditionRaised, key)
    assert not await alerts(ops)


async def test_observations_set_an_assets_status(
    ops: Ops, telemetry: Telemetry, asset: Asset, admin: Any, workspace: str
) -> None:
    async def told(status: AssetObserved.Status, at: datetime) -> None:
        await telemetry.tell(AssetObserved(asset_id=asset.id, status=status, last_seen_at=at), key=asset.id, twice=True)

    async def observed(status: int) -> Asset:
        async def look() -> Asset | None:
            found: Asset = await ops.get(asset)
            return found if found.status == status else None

        found: Asset = await eventually(look)
        return found

    await told(AssetObserved.ONLINE, after(0))
    assert (await observed(Asset.ONLINE)).last_seen_at.ToDatetime(tzinfo=UTC) == after(0)
    await told(AssetObserved.DEGRADED, after(1))
    await observed(Asset.DEGRADED)
    # It was heard of until then, and nothing told while nothing changed.
    await told(AssetObserved.OFFLINE, after(30))
    offline = await observed(Asset.OFFLINE)
    assert (offline.last_seen_at.ToDatetime(tzinfo=UTC), offline.version) == (after(30), 4)
    changes = "SELECT count(*) FROM outbox WHERE workspace_id = $1 AND topic = 'asset.state_changed'"
    assert await admin.fetchval(changes, workspace) == 3


async def test_an_observation_of_nothing_is_parked(telemetry: Telemetry) -> None:
    key = ids.new_id()
    await telemetry.tell(AssetObserved(asset_id=NOTHING, status=AssetObserved.ONLINE, last_seen_at=after(0)), key=key)
    assert await telemetry.parked(AssetObserved, key) == f"There is no asset {NOTHING}."


async def test_an_observation_of_a_retired_asset_is_left_aside(
    ops: Ops, telemetry: Telemetry, asset: Asset, admin: Any, workspace: str
) -> None:
    retired = await ops.patch(asset, lifecycle=AssetLifecycle.RETIRED)
    await telemetry.tell(
        AssetObserved(asset_id=asset.id, status=AssetObserved.ONLINE, last_seen_at=after(0)), key=asset.id
    )

    async def taken() -> bool:
        return bool(await admin.fetchval("SELECT count(*) FROM inbox WHERE workspace_id = $1", workspace))

    await eventually(taken)
    assert await ops.get(asset) == retired
