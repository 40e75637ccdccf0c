"""Which events a trigger is for, and what it gives of them."""

from typing import Any

import pytest

from kit.event_values import value_at
from services.workflow.proposals import policy
from services.workflow.triggers import rules

DATA = {"ticket": {"id": "t-1", "tier": 2, "open": True, "tags": ["a", "b"], "score": 1.5, "none": None}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ticket.id", "t-1"),
        ("ticket.tags.1", "b"),
        ("ticket.tags.2", None),
        ("ticket.tags.x", None),
        ("ticket.id.x", None),
        ("other", None),
        ("ticket.tags", ["a", "b"]),
    ],
)
def test_what_is_at_a_path(path: str, value: Any) -> None:
    assert value_at(DATA, path) == value


@pytest.mark.parametrize(
    ("path", "equals", "holds"),
    [
        ("ticket.id", "t-1", True),
        ("ticket.id", "T-1", False),
        ("ticket.tier", "2", True),
        ("ticket.open", "true", True),
        ("ticket.open", "True", False),
        ("ticket.score", "1.5", True),
        ("ticket.none", "None", False),
        ("ticket.tags", "['a', 'b']", False),
        ("ticket", "x", False),
    ],
)
def test_conditions(path: str, equals: str, holds: bool) -> None:
    assert rules.matches([{"path": path, "equals": equals}], DATA) is holds


def test_all_conditions_must_hold() -> None:
    assert rules.matches([], DATA)
    assert not rules.matches([{"path": "ticket.id", "equals": "t-1"}, {"path": "ticket.tier", "equals": "3"}], DATA)


def test_what_is_not_there_is_left_out_of_the_input() -> None:
    fields = [{"field": "id", "path": "ticket.id"}, {"field": "x", "path": "ticket.none"}]
    assert rules.input_of(fields, DATA) == {"id": "t-1"}


@pytest.mark.parametrize(
    ("allowed", "applies"),
    [
        ([], False),
        (["triage.classify"], True),
        (["triage.*"], True),
        (["*"], False),
        (["triage"], False),
        (["billing.*", "triage.class"], False),
    ],
)
def test_whose_proposals_are_done_at_once(allowed: list[str], applies: bool) -> None:
    assert policy.applies_at_once("triage", "classify", allowed) is applies
