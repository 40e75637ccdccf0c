"""What may happen to an asset: two axes, of which one follows the other out of use and back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.directory.assets.rules import judge, observe

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=5)

STATUSES = ("unknown", "online", "degraded", "offline", "retired")
CONNECTIVITY = {
    None: {"unknown"},
    "unknown": {"online", "degraded", "offline"},
    "online": {"degraded", "offline"},
    "degraded": {"online", "offline"},
    "offline": {"online", "degraded"},
}
STATUS_MOVES = [(before, after) for before in CONNECTIVITY for after in STATUSES if before != after]

LIFECYCLE = {
    "ordered": {"in_stock", "deployed", "retired"},
    "in_stock": {"deployed", "maintenance", "retired", "disposed"},
    "deployed": {"in_stock", "maintenance", "retired"},
    "maintenance": {"in_stock", "deployed", "retired", "disposed"},
    "retired": {"in_stock", "deployed", "disposed"},
    "disposed": set[str](),
}
LIFECYCLE_MOVES = [(before, after) for before in LIFECYCLE for after in LIFECYCLE if before != after]
OUT_OF_USE = ("retired", "disposed")


def asset(status: str = "online", lifecycle: str = "deployed", **fields: Any) -> dict[str, Any]:
    return {
        "client_id": "c-1",
        "status": status,
        "lifecycle": lifecycle,
        "ip_address": None,
        "mac_address": None,
        "purchase_date": None,
        "warranty_expires_on": None,
        "last_seen_at": None,
        **fields,
    }


def in_lifecycle(lifecycle: str) -> dict[str, Any]:
    return asset("retired" if lifecycle in OUT_OF_USE else "online", lifecycle)


def changed(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """The asset after some of its fields were set."""
    after = {**(before or asset("unknown")), **fields}
    judge(before, after, NOW)
    return after


@pytest.mark.parametrize(("before", "after"), [each for each in STATUS_MOVES if each[1] in CONNECTIVITY[each[0]]])
def test_an_observed_status_follows_another(before: str | None, after: str) -> None:
    assert changed(asset(before) if before else None, status=after)["status"] == after


@pytest.mark.parametrize(("before", "after"), [each for each in STATUS_MOVES if each[1] not in CONNECTIVITY[each[0]]])
def test_another_status_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        changed(asset(before) if before else None, status=after)
    assert refused.value.detail.endswith(f"legal: {', '.join(sorted(CONNECTIVITY[before]))}.")


@pytest.mark.parametrize(("before", "after"), [each for each in LIFECYCLE_MOVES if each[1] in LIFECYCLE[each[0]]])
def test_a_legal_move_of_the_lifecycle_takes_the_status_along(before: str, after: str) -> None:
    moved = changed(in_lifecycle(before), lifecycle=after)
    expected = "retired" if after in OUT_OF_USE else "unknown" if before in OUT_OF_USE else "online"
    assert (moved["lifecycle"], moved["status"]) == (after, expected)


@pytest.mark.parametrize(("before", "after"), [each for each in LIFECYCLE_MOVES if each[1] not in LIFECYCLE[each[0]]])
def test_an_illegal_move_of_the_lifecycle_is_refused_and_the_legal_ones_are_named(before: str, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        changed(in_lifecycle(before), lifecycle=after)
    named = ", ".join(sorted(LIFECYCLE[before])) or "nothing, it is final"
    assert refused.value.detail == f"An asset cannot go from {before} to {after}; legal: {named}."


@pytest.mark.parametrize("status", ["unknown", "online", "degraded", "offline"])
def test_what_is_retired_has_no_other_status(status: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        changed(asset("retired", "retired"), status=status)
    assert "legal: nothing, while its lifecycle is retired" in refused.value.detail


def test_what_returns_is_unknown_until_it_is_observed() -> None:
    assert changed(asset("retired", "retired"), lifecycle="in_stock", status="unknown")["status"] == "unknown"
    with pytest.raises(IllegalTransition) as refused:
        changed(asset("retired", "retired"), lifecycle="in_stock", status="online")
    assert refused.value.detail.endswith("legal: unknown.")


@pytest.mark.parametrize("lifecycle", LIFECYCLE)
def test_an_asset_may_be_taken_over_at_any_point_of_its_life(lifecycle: str) -> None:
    taken = changed(None, lifecycle=lifecycle)
    assert taken["status"] == ("retired" if lifecycle in OUT_OF_USE else "unknown")


def test_the_lifecycle_is_deployed_unless_it_is_said_and_kept_when_it_is_left_out() -> None:
    assert changed(None, lifecycle=None)["lifecycle"] == "deployed"
    assert changed(asset(lifecycle="maintenance"), lifecycle=None)["lifecycle"] == "maintenance"


@pytest.mark.parametrize("address", ["192.0.2.17", "2001:db8::1"])
def test_an_address_of_either_kind_will_do(address: str) -> None:
    assert changed(asset(), ip_address=address)["ip_address"] == address


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("ip_address", "192.0.2.256", "ipAddress"),
        ("ip_address", "router", "ipAddress"),
        ("mac_address", "00:1b:44:11:3a", "macAddress"),
        ("mac_address", "00:1b:44:11:3a:zz", "macAddress"),
        ("client_id", "c-2", "clientId"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(field: str, value: str, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(asset(), **{field: value})
    assert [error.path for error in refused.value.errors] == [path]


def test_a_warranty_does_not_end_before_the_purchase() -> None:
    assert changed(asset(), purchase_date="2026-01-02", warranty_expires_on="2026-01-02")
    with pytest.raises(Invalid) as refused:
        changed(asset(), purchase_date="2026-01-02", warranty_expires_on="2025-12-31")
    assert [error.path for error in refused.value.errors] == ["warrantyExpiresOn"]


@pytest.mark.parametrize(("status", "seen"), [("online", NOW), ("degraded", NOW), ("offline", EARLIER)])
def test_an_observation_sets_the_status_and_when_it_was_reached(status: str, seen: datetime) -> None:
    seen_asset = asset("unknown", last_seen_at=EARLIER)
    observe(seen_asset, status=status, at=NOW)
    assert (seen_asset["status"], seen_asset["last_seen_at"]) == (status, seen)


@pytest.mark.parametrize("status", ["online", "degraded", "offline"])
def test_when_it_was_last_seen_is_taken_over_also_of_one_that_is_offline(status: str) -> None:
    seen_asset = asset("online", last_seen_at=EARLIER)
    observe(seen_asset, status=status, at=NOW, was_seen=True)
    assert (seen_asset["status"], seen_asset["last_seen_at"]) == (status, NOW)


@pytest.mark.parametrize("was_seen", [False, True])
def test_an_observation_that_comes_late_is_left_aside(was_seen: bool) -> None:
    seen_asset = asset("online", last_seen_at=NOW)
    observe(seen_asset, status="offline", at=EARLIER, was_seen=was_seen)
    assert (seen_asset["status"], seen_asset["last_seen_at"]) == ("online", NOW)


@pytest.mark.parametrize("status", ["unknown", "retired"])
def test_what_cannot_be_observed_is_refused(status: str) -> None:
    with pytest.raises(Invalid):
        observe(asset(), status=status, at=NOW)


def test_what_is_retired_is_not_observed() -> None:
    with pytest.raises(Conflict) as refused:
        observe(asset("retired", "retired"), status="online", at=NOW)
    assert refused.value.code == "asset-retired"
