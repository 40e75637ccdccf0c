"""What may happen to an alert, and what a signal does to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.monitoring.alerts.rules import clear, fingerprint, flaps, fold, is_late, judge, link, stay_with_ticket

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
STATES = ("firing", "acknowledged", "resolved", "suppressed")
LEGAL = {
    None: {"firing", "suppressed"},
    "firing": {"acknowledged", "resolved", "suppressed"},
    "acknowledged": {"resolved", "suppressed"},
    "suppressed": {"firing", "resolved"},
    "resolved": {"firing", "suppressed"},
}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]


def alert(status: str = "firing", **fields: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "status": status,
        "source": "edge",
        "rule": "disk",
        "instance": "C:",
        "asset_id": "s",
        "client_id": "c",
        "fingerprint": "f",
        "severity": "warning",
        "occurrence_count": 1,
        "flap_count": 0,
        "first_seen_at": EARLIER,
        "last_seen_at": EARLIER,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": EARLIER if status == "resolved" else None,
        "ticket_id": None,
        **fields,
    }


def moved(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    after = {**(before or alert()), **fields}
    judge(before, after, NOW)
    return after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    assert moved(alert(before) if before else None, status=after)["status"] == after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        moved(alert(before) if before else None, status=after)
    assert refused.value.detail.endswith(f"legal: {', '.join(sorted(LEGAL[before]))}.")


def test_a_new_alert_is_seen_now_and_has_a_fingerprint() -> None:
    new = moved(None, fingerprint="", first_seen_at=None, last_seen_at=None)
    assert (new["first_seen_at"], new["last_seen_at"], new["occurrence_count"]) == (NOW, NOW, 1)
    assert new["fingerprint"] == fingerprint(new)
    assert len(new["fingerprint"]) == 64


@pytest.mark.parametrize("part", ["source", "asset_id", "rule", "instance"])
def test_each_part_of_the_fingerprint_counts_and_the_title_does_not(part: str) -> None:
    assert fingerprint(alert(**{part: "other"})) != fingerprint(alert())
    assert fingerprint(alert(title="other")) == fingerprint(alert(title="one"))


def test_parts_do_not_run_into_one_another() -> None:
    assert fingerprint(alert(rule="ab", instance=None)) != fingerprint(alert(rule="a", instance="b"))


def test_a_fingerprint_stays() -> None:
    assert moved(alert(), fingerprint="")["fingerprint"] == "f"
    with pytest.raises(Invalid) as refused:
        moved(alert(), fingerprint="g")
    assert [error.path for error in refused.value.errors] == ["fingerprint"]


def test_the_times_of_acknowledging_and_resolving_are_noted() -> None:
    assert moved(alert(), status="acknowledged")["acknowledged_at"] == NOW
    assert moved(alert(), status="resolved")["resolved_at"] == NOW


def test_firing_again_counts_and_forgets() -> None:
    again = moved(alert("resolved", acknowledged_at=EARLIER, acknowledged_by="ada"), status="firing")
    assert (again["flap_count"], again["resolved_at"]) == (1, None)
    assert (again["acknowledged_at"], again["acknowledged_by"]) == (None, None)


@pytest.mark.parametrize(
    ("before", "signal", "after"),
    [("warning", "critical", "critical"), ("critical", "info", "critical"), ("info", "warning", "warning")],
)
def test_a_repetition_counts_and_can_only_make_it_worse(before: str, signal: str, after: str) -> None:
    one = alert("acknowledged", severity=before)
    fold(one, severity=signal, seen_at=NOW, suppressed=False)
    assert (one["occurrence_count"], one["last_seen_at"], one["severity"]) == (2, NOW, after)
    assert one["status"] == "acknowledged"


@pytest.mark.parametrize(
    ("before", "suppressed", "after"),
    [
        ("suppressed", False, "firing"),
        ("suppressed", True, "suppressed"),
        ("firing", True, "firing"),
        ("resolved", False, "firing"),
        ("resolved", True, "suppressed"),
    ],
)
def test_maintenance_silences_what_begins_in_it(before: str, suppressed: bool, after: str) -> None:
    one = alert(before)
    fold(one, severity="info", seen_at=NOW, suppressed=suppressed)
    assert one["status"] == after


def test_what_flaps_has_the_severity_of_its_new_signal() -> None:
    one = alert("resolved", severity="critical")
    fold(one, severity="info", seen_at=NOW, suppressed=False)
    assert one["severity"] == "info"


@pytest.mark.parametrize(("minutes", "does"), [(0, True), (10, True), (10.1, False)])
def test_what_fires_within_ten_minutes_flaps(minutes: float, does: bool) -> None:
    assert flaps(alert("resolved"), EARLIER + timedelta(minutes=minutes)) is does


def test_a_signal_from_before_the_latest_is_late() -> None:
    assert is_late(alert(), EARLIER - timedelta(seconds=1))
    assert not is_late(alert(), EARLIER)


def test_it_is_over_when_the_source_says_so() -> None:
    after = alert()
    clear(after, seen_at=EARLIER + timedelta(minutes=1))
    judge(alert(), after, NOW)
    assert after["resolved_at"] == after["last_seen_at"] == EARLIER + timedelta(minutes=1)


def test_an_alert_has_one_ticket_of_its_client() -> None:
    ticket = {"id": "t", "client_id": "c"}
    one = alert()
    link(one, ticket)
    link(one, ticket)
    assert one["ticket_id"] == "t"
    link(alert(client_id=None), ticket)
    with pytest.raises(Conflict) as refused:
        link(one, {"id": "u", "client_id": "c"})
    assert refused.value.code == "already-linked"
    with pytest.raises(Invalid):
        link(alert(), {"id": "u", "client_id": "other"})


@pytest.mark.parametrize("client_id", [None, "c"])
def test_an_alert_is_of_its_tickets_client_or_of_none(client_id: str | None) -> None:
    stay_with_ticket(alert(client_id=client_id), "c")
    with pytest.raises(Invalid) as refused:
        stay_with_ticket(alert(client_id="other"), "c")
    assert [error.path for error in refused.value.errors] == ["clientId"]
