"""What an edge policy may say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import Invalid
from services.telemetry.edge_policies.rules import judge

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CLIENT = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


def threshold(**fields: Any) -> dict[str, Any]:
    return {"name": "disk", "metric": "disk.used_percent", "operator": "above", "raise_at": 90.0, "for_seconds": 0,
            "disabled": False, **fields}  # fmt: skip


def check(**fields: Any) -> dict[str, Any]:
    return {"name": "web", "type": "tcp", "target": "localhost:80", "disabled": False, **fields}


def policy(**fields: Any) -> dict[str, Any]:
    return {"scope": "workspace", "scope_id": None, "collectors": [], "thresholds": [], "checks": [], **fields}


def paths(before: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    """Where a policy is refused."""
    with pytest.raises(Invalid) as refused:
        judge(before, policy(**fields), NOW)
    return [error.path for error in refused.value.errors]


def test_a_policy_that_says_nothing_is_one() -> None:
    judge(None, policy(), NOW)


@pytest.mark.parametrize("scope", ["client", "site", "agent"])
def test_all_scopes_but_the_workspace_name_whom_they_are_for(scope: str) -> None:
    judge(None, policy(scope=scope, scope_id=CLIENT), NOW)
    assert paths(scope=scope) == ["scopeId"]
    assert paths(scope_id=CLIENT) == ["scopeId"]


def test_whom_it_is_for_does_not_change() -> None:
    before = policy(scope="client", scope_id=CLIENT)
    judge(before, policy(scope="client", scope_id=CLIENT, send_seconds=60), NOW)
    assert paths(before, scope="site", scope_id=CLIENT) == ["scope"]
    assert paths(before, scope="client", scope_id=CLIENT.replace("0", "1")) == ["scopeId"]
    assert paths(before) == ["scope", "scopeId"]


@pytest.mark.parametrize("name", ["disk-space", "a", "A.b_c-9"])
@pytest.mark.parametrize("metric", ["disk.used_percent", "app/latency-p99", "x"])
def test_names_and_metrics_are_simple(name: str, metric: str) -> None:
    judge(None, policy(thresholds=[threshold(name=name, metric=metric)], checks=[check(name=name)]), NOW)


@pytest.mark.parametrize("name", ["disk space", "ä", "a/b", "a\n", "a:b"])
def test_other_names_are_refused(name: str) -> None:
    assert paths(thresholds=[threshold(name=name)]) == ["thresholds[0].name"]
    assert paths(checks=[check(), check(name=name)]) == ["checks[1].name"]


@pytest.mark.parametrize("metric", ["disk used", "ä", "a\n", "a{b}"])
def test_other_metrics_are_refused(metric: str) -> None:
    assert paths(thresholds=[threshold(metric=metric)]) == ["thresholds[0].metric"]


def test_names_are_unique_among_thresholds_and_among_checks() -> None:
    judge(None, policy(thresholds=[threshold(name="a")], checks=[check(name="a")]), NOW)
    assert paths(thresholds=[threshold(), threshold(name="b"), threshold()]) == ["thresholds[2].name"]
    assert paths(checks=[check(), check()]) == ["checks[1].name"]


@pytest.mark.parametrize(
    ("operator", "raise_at", "clear_at", "is_fine"),
    [
        ("above", 90.0, 85.0, True),
        ("above", 90.0, 90.0, True),
        ("above", 90.0, 90.1, False),
        ("below", 5.0, 6.0, True),
        ("below", 5.0, 5.0, True),
        ("below", 5.0, 4.9, False),
    ],
)
def test_it_clears_on_the_right_side(operator: str, raise_at: float, clear_at: float, is_fine: bool) -> None:
    thresholds = [threshold(operator=operator, raise_at=raise_at, clear_at=clear_at)]
    if is_fine:
        judge(None, policy(thresholds=thresholds), NOW)
    else:
        assert paths(thresholds=thresholds) == ["thresholds[0].clearAt"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_limits_are_finite(value: float) -> None:
    assert paths(thresholds=[threshold(raise_at=value)]) == ["thresholds[0].raiseAt"]
    assert paths(thresholds=[threshold(clear_at=value)]) == ["thresholds[0].clearAt"]


@pytest.mark.parametrize(
    ("check_type", "target"),
    [
        ("tcp", "localhost:1"),
        ("tcp", "10.0.0.1:65535"),
        ("tcp", "[::1]:443"),
        ("http", "https://example.com"),
        ("http", "http://localhost:8080/health?full=1"),
        ("http", "http://[::1]/"),
        ("process", "nginx: master"),
    ],
)
def test_targets_that_can_be_looked_at(check_type: str, target: str) -> None:
    judge(None, policy(checks=[check(type=check_type, target=target)]), NOW)


@pytest.mark.parametrize(
    ("check_type", "target"),
    [
        ("tcp", "localhost"),
        ("tcp", "localhost:"),
        ("tcp", ":80"),
        ("tcp", "localhost:0"),
        ("tcp", "localhost:65536"),
        ("tcp", "local host:80"),
        ("tcp", "::1:80"),
        ("tcp", "http://localhost:80"),
        ("http", "example.com"),
        ("http", "ftp://example.com"),
        ("http", "http://"),
        ("http", "http://a b"),
        ("http", "http://a:99999/"),
        ("http", "http://[::1"),
        ("http", "https://example.com/\n"),
        ("process", "  "),
    ],
)
def test_targets_that_cannot_be_looked_at(check_type: str, target: str) -> None:
    assert paths(checks=[check(type=check_type, target=target)]) == ["checks[0].target"]


def test_collectors_are_named_once() -> None:
    judge(None, policy(collectors=["cpu", "disk"]), NOW)
    assert paths(collectors=["cpu", "disk", "cpu", None]) == ["collectors[2]", "collectors[3]"]


def test_everything_wrong_is_told_at_once() -> None:
    assert paths(
        scope="site",
        collectors=["cpu", "cpu"],
        thresholds=[threshold(), threshold(name="b", clear_at=95.0), threshold(name="c c", metric="a b")],
        checks=[check(), check(target="x")],
    ) == [
        "scopeId",
        "collectors[1]",
        "thresholds[2].name",
        "thresholds[1].clearAt",
        "thresholds[2].metric",
        "checks[1].name",
        "checks[1].target",
    ]
