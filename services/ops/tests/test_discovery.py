"""Machines that endpoint agents run on become assets."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit import ids
from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.assets_pb2 import Asset
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved, ConditionRaised, Inventory
from services.ops.tests.client import Ops
from services.ops.tests.telemetry import Telemetry
from tests.callers import eventually

NOW = datetime.now(UTC) - timedelta(minutes=10)


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


def observed(client: Client, agent: str, *, minutes: float = 0, **inventory: Any) -> AssetObserved:
    said = Inventory(**{"hostname": "web-01", **inventory}) if inventory else None
    return AssetObserved(
        agent_id=agent,
        client_id=client.id,
        status=AssetObserved.ONLINE,
        last_seen_at=NOW + timedelta(minutes=minutes),
        inventory=said,
    )


async def assets(ops: Ops, **query: Any) -> Sequence[Asset]:
    return list((await ops.page("Assets", **query)).data)


async def reported(ops: Ops, agent: str, **expected: Any) -> Asset:
    """The asset for which the agent reports, once it is as expected."""

    async def look() -> Asset | None:
        found = await assets(ops, agent_id=agent)
        return next((each for each in found if all(getattr(each, k) == v for k, v in expected.items())), None)

    asset: Asset = await eventually(look)
    return asset


async def test_a_machine_that_is_new_becomes_an_asset_once(ops: Ops, telemetry: Telemetry, client: Client) -> None:
    agent = ids.new_id()
    said = observed(client, agent, serial_number="SN-1", operating_system="Debian 12", type=Inventory.SERVER)
    await telemetry.tell(said, key=agent, twice=True)
    asset = await reported(ops, agent)
    assert (asset.name, asset.hostname, asset.serial_number) == ("web-01", "web-01", "SN-1")
    assert (asset.type, asset.status, asset.client_id) == (Asset.SERVER, Asset.ONLINE, client.id)
    await telemetry.tell(observed(client, agent, minutes=1, hostname="web-02", serial_number="SN-1"), key=agent)
    renamed = await reported(ops, agent, hostname="web-02")
    assert (renamed.id, renamed.name) == (asset.id, "web-01")
    assert len(await assets(ops)) == 1


async def test_a_machine_is_there_before_anything_is_known_of_how_it_does(
    ops: Ops, telemetry: Telemetry, client: Client
) -> None:
    agent = ids.new_id()
    said = AssetObserved(agent_id=agent, client_id=client.id, inventory=Inventory(hostname="db-01"))
    await telemetry.tell(said, key=agent)
    asset = await reported(ops, agent)
    assert (asset.status, asset.HasField("last_seen_at")) == (Asset.UNKNOWN, False)


@pytest.mark.parametrize(
    "known", [{"serial_number": "sn-7", "agent_id": "the-former"}, {"hostname": "WEB-01"}], ids=["serial", "hostname"]
)
async def test_an_asset_that_was_there_is_taken_over(
    ops: Ops, telemetry: Telemetry, client: Client, known: dict[str, str]
) -> None:
    before = await ops.create_asset(client, name="Front desk", notes="two screens", **known)
    agent = ids.new_id()
    await telemetry.tell(observed(client, agent, serial_number="SN-7", model="OptiPlex"), key=agent)
    asset = await reported(ops, agent)
    assert (asset.id, asset.name, asset.notes, asset.model) == (before.id, "Front desk", "two screens", "OptiPlex")
    assert len(await assets(ops)) == 1


async def test_a_machine_that_is_set_up_anew_stays_the_asset_that_it_was(
    ops: Ops, telemetry: Telemetry, client: Client
) -> None:
    before, after = ids.new_id(), ids.new_id()
    await telemetry.tell(observed(client, before, serial_number="SN-1"), key=before)
    asset = await reported(ops, before, status=Asset.ONLINE)
    offline = AssetObserved(agent_id=before, client_id=client.id, status=AssetObserved.OFFLINE, last_seen_at=NOW)
    await telemetry.tell(offline, key=before)
    await reported(ops, before, status=Asset.OFFLINE)
    enrolled = AssetObserved(
        agent_id=after,
        client_id=client.id,
        inventory=Inventory(hostname="web-01", operating_system="Debian 13"),
        replaces_agent_ids=[before],
    )
    await telemetry.tell(enrolled, observed(client, after, minutes=1, serial_number="SN-1", model="X9"), key=after)
    now = await reported(ops, after, model="X9", status=Asset.ONLINE)
    assert (now.id, now.serial_number, now.operating_system) == (asset.id, "SN-1", "Debian 13")
    assert len(await assets(ops)) == 1


async def test_nobody_takes_the_place_of_another_clients_agent(ops: Ops, telemetry: Telemetry, client: Client) -> None:
    theirs = await ops.create_asset(await ops.create_client(name="Another"), agent_id="the-former")
    agent = ids.new_id()
    said = observed(client, agent, model="X9")
    said.replaces_agent_ids.append("the-former")
    await telemetry.tell(said, key=agent)
    assert (await reported(ops, agent)).id != theirs.id
    assert (await ops.get(theirs)).agent_id == "the-former"


async def test_a_machine_of_that_name_at_another_client_is_another(
    ops: Ops, telemetry: Telemetry, client: Client
) -> None:
    other = await ops.create_client(name="Another")
    theirs = await ops.create_asset(other, hostname="web-01", serial_number="SN-9")
    agent = ids.new_id()
    await telemetry.tell(observed(client, agent, serial_number="SN-9"), key=agent)
    asset = await reported(ops, agent)
    assert asset.id != theirs.id
    assert asset.client_id == client.id


async def test_what_cannot_be_is_left_out_and_the_rest_is_kept(ops: Ops, telemetry: Telemetry, client: Client) -> None:
    agent = ids.new_id()
    await telemetry.tell(observed(client, agent, ip_address="not one", model="X1", mac_address="?"), key=agent)
    asset = await reported(ops, agent)
    assert (asset.model, asset.HasField("ip_address"), asset.HasField("mac_address")) == ("X1", False, False)


async def test_an_agent_without_an_asset_is_left_aside_until_it_says_what_it_is(
    ops: Ops, telemetry: Telemetry, client: Client
) -> None:
    agent = ids.new_id()
    await telemetry.tell(observed(client, agent), observed(client, agent, minutes=1, model="X1"), key=agent)
    assert (await reported(ops, agent)).model == "X1"


async def test_an_alert_is_raised_also_where_the_asset_is_missing(
    ops: Ops, telemetry: Telemetry, client: Client
) -> None:
    said = ConditionRaised(
        source="edge-agent",
        fingerprint="f-1",
        severity=ConditionRaised.HIGH,
        title="Disk full",
        agent_id=ids.new_id(),
        client_id=client.id,
        observed_at=NOW,
    )
    await telemetry.tell(said)

    async def look() -> Sequence[Alert]:
        return list((await ops.page("Alerts", fingerprint="f-1")).data)

    [alert] = await eventually(look)
    assert (alert.client_id, alert.HasField("asset_id")) == (client.id, False)
