"""Collectors, inventory and schedules: what they see, and that none holds up another."""

import socket
import time
from pathlib import Path

import psutil
import pytest

from edge_agent.tests.agent import FAST, Agent, until
from edge_agent.tests.platform_server import Platform
from opsfield_agent import hardware
from opsfield_agent.collectors import collectors
from opsfield_agent.collectors.network import Network
from opsfield_agent.inventory import inventory
from opsfield_agent.schedule import Periodic


def test_what_is_measured_agrees_with_the_system() -> None:
    measure = collectors()
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        pass
    seen = {(each["name"], each.get("instance")): each["value"] for name in measure for each in measure[name]()}
    # One core was busy all the time.
    cores = psutil.cpu_count() or 1
    assert 0.6 * 100 / cores <= seen["cpu.used_percent", None] <= 100
    assert abs(seen["memory.available_bytes", None] - psutil.virtual_memory().available) < 500e6
    assert abs(seen["host.processes", None] - len(psutil.pids())) < 100
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert abs(seen["host.uptime_seconds", None] - uptime) < 5
    mounts = {instance for name, instance in seen if name == "disk.free_bytes"}
    for mount in mounts:
        assert abs(seen["disk.free_bytes", mount] - psutil.disk_usage(str(mount)).free) < 500e6


def test_network_rates_are_bytes_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now, counters = 100.0, {"eth0": (1000, 500), "eth1": (0, 0)}
    monkeypatch.setattr("opsfield_agent.clock.steady", lambda: now)
    monkeypatch.setattr("opsfield_agent.collectors.network._counters", lambda: dict(counters))
    network = Network()
    now, counters = 110.0, {"eth0": (3000, 500), "eth1": (10, 20), "eth2": (5, 5)}
    assert {(each["name"].split("_")[0], each["instance"], each["value"]) for each in network()} == {
        ("network.received", "eth0", 200.0),
        ("network.sent", "eth0", 0.0),
        ("network.received", "eth1", 1.0),
        ("network.sent", "eth1", 2.0),
    }
    # eth0 was set up anew.
    now, counters = 120.0, {"eth0": (10, 10), "eth1": (10, 20)}
    assert {each["instance"] for each in network()} == {"eth1"}


def test_a_collector_that_fails_or_hangs_costs_its_own_metrics_only(platform: Platform, agent: Agent) -> None:
    wishes = {
        **FAST,
        "collectors.memory": "lambda: 1 / 0",
        "collectors.disk": "lambda: __import__('time').sleep(3600)",
    }
    with agent.with_wishes(set=wishes).running():
        until(lambda: len(platform.events("metric")) > 50)
        until(lambda: "still has not ended" in agent.log())
    kinds = {event["name"].partition(".")[0] for event in platform.events("metric")}
    assert kinds >= {"cpu", "host"}
    assert not kinds & {"memory", "disk"}
    assert agent.log().count("The collector memory gives nothing") == 1
    assert agent.log().count("The collector disk gives nothing") == 1


def test_the_inventory_says_what_the_machine_is() -> None:
    seen = inventory(None, "S1")
    assert seen["hostname"] == socket.gethostname()
    assert seen["cpuCount"] == psutil.cpu_count()
    assert seen["memoryBytes"] == psutil.virtual_memory().total
    assert all(value is not None for value in seen.values())


def test_the_address_is_the_one_by_which_the_platform_is_reached() -> None:
    assert inventory("10.1.2.3", None)["ipAddress"] == "10.1.2.3"
    assert inventory("::ffff:10.1.2.3", None)["ipAddress"] == "10.1.2.3"
    assert inventory("fe80::1%eth0", None)["ipAddress"] == "fe80::1"
    assert inventory("127.0.0.1", None).get("ipAddress") != "127.0.0.1"


def test_the_inventory_is_reported_again_when_it_changed(platform: Platform, agent: Agent) -> None:
    host = "__import__('itertools').count()"
    wishes = {
        **FAST,
        "collection._INVENTORY_LOOK_SECONDS": "0.1",
        "inventory.hostname": f"(lambda n: lambda: f'host-{{min(next(n) // 5, 2)}}')({host})",
    }
    with agent.with_wishes(set=wishes).running():
        until(lambda: len(platform.events("inventory")) >= 3)
        time.sleep(0.5)
    names = [event["inventory"]["hostname"] for event in platform.events("inventory")]
    assert names == ["host-0", "host-1", "host-2"]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"sys_vendor": "QEMU", "chassis_type": "1"}, "virtual_machine"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "virtual_machine"),
        ({"sys_vendor": "LENOVO", "product_name": "ThinkPad", "chassis_type": "10"}, "laptop"),
        ({"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R740", "chassis_type": "23"}, "server"),
        ({"sys_vendor": "HP", "product_name": "EliteDesk", "chassis_type": "3"}, "workstation"),
        ({}, None),
    ],
)
def test_the_kind_of_machine_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], kind: str | None
) -> None:
    monkeypatch.setattr(hardware, "_has_hypervisor", lambda: False)
    for name, content in files.items():
        (tmp_path / name).write_text(content + "\n")
    assert hardware.kind(tmp_path, has_battery=False) == kind


@pytest.mark.parametrize(
    "text", ["", "To be filled by O.E.M.", "Default string", "System Serial Number", "None", "0000000", "Not Specified"]
)
def test_what_the_manufacturer_forgot_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "product_serial").write_text(text)
    assert hardware.read("product_serial", tmp_path) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4C4C4544-0042-3510-8056-B7C04F4A3232", "4c4c4544-0042-3510-8056-b7c04f4a3232"),
        ("03000200-0400-0500-0006-000700080009", None),
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", None),
        ("00000000-0000-0000-0000-000000000000", None),
    ],
)
def test_an_id_that_boards_share_identifies_no_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str | None
) -> None:
    monkeypatch.setattr(hardware, "_CONTAINER_MARKS", ())
    (tmp_path / "product_uuid").write_text(text)
    assert hardware.hardware_id(tmp_path) == expected


def test_an_interval_keeps_its_rhythm_and_follows_a_change() -> None:
    periodic = Periodic(0.0, first_after=3.0)
    assert not periodic.take(2.9, 10)
    assert periodic.take(3.2, 10)
    assert periodic.due_at(10) == 13.0
    assert periodic.due_at(5) == 8.0
    # After a suspend it comes once, not as often as it was missed.
    assert periodic.take(1000.0, 10)
    assert not periodic.take(1000.0, 10)


def test_a_jittered_interval_differs_by_a_tenth() -> None:
    periodic = Periodic(0.0, first_after=0.0, jitter=True)
    lengths, now = [], 0.0
    for _ in range(300):
        assert periodic.take(now, 10)
        lengths.append(periodic.due_at(10) - now)
        now = periodic.due_at(10)
    assert 9 <= min(lengths) < 9.3
    assert 10.7 < max(lengths) <= 11
