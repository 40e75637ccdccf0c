"""What policies of several scopes come to together."""

from datetime import timedelta
from typing import Any

from services.telemetry.edge_policies.merge import COLLECTORS, DEFAULTS, Check, Threshold, merge

NOTHING: dict[str, Any] = {**dict.fromkeys(DEFAULTS), "collectors": [], "thresholds": [], "checks": []}


def policy(**fields: Any) -> dict[str, Any]:
    return {**NOTHING, **fields}


def threshold(name: str = "disk", **fields: Any) -> dict[str, Any]:
    return {"name": name, "metric": "disk.used_percent", "operator": "above", "raise_at": 80.0, "for_seconds": 0,
            "disabled": False, **fields}  # fmt: skip


def names(*policies: dict[str, Any]) -> list[str]:
    return [each.name for each in merge(policies).thresholds]


def test_without_any_policy_the_defaults_hold() -> None:
    effective = merge([])
    assert effective.values == {
        "send_seconds": 30,
        "metrics_seconds": 30,
        "inventory_seconds": 21_600,
        "offline_after_seconds": 120,
        "offline_alert_seconds": 60,
        "offline_alerts": True,
    }
    assert effective.collectors == ("cpu", "memory", "disk", "network", "host")
    assert effective.thresholds == (
        Threshold("cpu", "cpu.used_percent", None, True, 95, 85, timedelta(minutes=10), "warning"),
        Threshold("disk-space", "disk.used_percent", None, True, 90, 85, timedelta(0), "high"),
        Threshold("memory", "memory.used_percent", None, True, 95, 90, timedelta(minutes=5), "warning"),
    )
    assert effective.checks == ()
    assert merge([policy()]) == effective


def test_of_each_field_the_nearest_value_holds() -> None:
    agent = policy(send_seconds=5, offline_alerts=False)
    client = policy(send_seconds=60, metrics_seconds=10, collectors=["disk", "cpu"])
    workspace = policy(metrics_seconds=90, inventory_seconds=60, offline_alerts=True, collectors=["host"])
    effective = merge([agent, client, workspace])
    assert effective.values == {**DEFAULTS, "send_seconds": 5, "metrics_seconds": 10, "inventory_seconds": 60,
                                "offline_alerts": False}  # fmt: skip
    assert effective.collectors == ("cpu", "disk")
    assert set(COLLECTORS) > set(effective.collectors)


def test_thresholds_of_all_scopes_hold_together_and_the_nearer_of_one_name() -> None:
    near = policy(thresholds=[threshold("disk-space", raise_at=70.0), threshold("own")])
    far = policy(thresholds=[threshold("disk-space", raise_at=60.0), threshold("wide")])
    effective = merge([near, far])
    assert [each.name for each in effective.thresholds] == ["cpu", "disk-space", "memory", "own", "wide"]
    assert effective.thresholds[1].raise_at == 70.0


def test_what_is_disabled_is_taken_out_unless_a_nearer_scope_says_otherwise() -> None:
    off = policy(thresholds=[threshold("disk-space", disabled=True), threshold("wide", disabled=True)])
    wide = policy(thresholds=[threshold("wide")])
    assert names(off, wide) == ["cpu", "memory"]
    assert names(wide, off) == ["cpu", "memory", "wide"]


def test_what_a_threshold_and_a_check_leave_out_has_its_default() -> None:
    said = {"name": "web", "type": "tcp", "target": "a:1", "every_seconds": 0, "timeout_seconds": 0,
            "failures_before_alert": 0, "disabled": False}  # fmt: skip
    effective = merge([policy(thresholds=[threshold("own")], checks=[said])])
    assert effective.thresholds[-1] == Threshold(
        "own", "disk.used_percent", None, True, 80, 80, timedelta(0), "warning"
    )
    assert effective.checks == (Check("web", "tcp", "a:1", timedelta(minutes=1), timedelta(seconds=5), 2, "high"),)


def test_an_agent_that_sends_seldom_is_given_time() -> None:
    def offline_after(**fields: int) -> int:
        found: int = merge([policy(**fields)]).values["offline_after_seconds"]
        return found

    assert offline_after(offline_after_seconds=100, send_seconds=30) == 100
    assert offline_after(offline_after_seconds=100, send_seconds=600) == 1200
    assert offline_after(send_seconds=600) == 1200
