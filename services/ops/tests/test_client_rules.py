"""What a client may become."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import IllegalTransition, Invalid
from services.ops.directory.clients.rules import judge

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATES = ("prospect", "onboarding", "active", "suspended", "offboarded")
LEGAL = {
    None: {"prospect", "onboarding", "active"},
    "prospect": {"onboarding", "active", "offboarded"},
    "onboarding": {"active", "offboarded"},
    "active": {"suspended", "offboarded"},
    "suspended": {"active", "offboarded"},
    "offboarded": {"onboarding", "active"},
}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]


def client(status: str, **fields: Any) -> dict[str, Any]:
    return {"status": status, "hourly_rate": None, "currency": None, **fields}


def move(before: str | None, after: str) -> None:
    judge(client(before) if before else None, client(after), NOW)


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    move(before, after)


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        move(before, after)
    assert refused.value.detail.endswith(f"legal: {', '.join(sorted(LEGAL[before]))}.")


@pytest.mark.parametrize("state", STATES)
def test_staying_where_one_is_is_no_move(state: str) -> None:
    move(state, state)


def test_an_hourly_rate_needs_a_currency() -> None:
    judge(None, client("active", hourly_rate="95.00", currency="EUR"), NOW)
    judge(None, client("active", currency="EUR"), NOW)
    with pytest.raises(Invalid) as refused:
        judge(None, client("active", hourly_rate="95.00"), NOW)
    assert [error.path for error in refused.value.errors] == ["currency"]
