"""Which state may follow which."""

import pytest

from kit.errors import IllegalTransition
from kit.resources.lifecycle import Lifecycle, states

DOOR = Lifecycle(
    noun="door",
    initial=states("open shut"),
    moves={"open": states("shut"), "shut": states("open locked"), "locked": states("shut"), "gone": states("")},
)


@pytest.mark.parametrize(
    ("before", "after"), [(None, "open"), (None, "shut"), ("open", "shut"), ("shut", "locked"), ("gone", "gone")]
)
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    DOOR.check(before, after)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (None, "locked", "A new door cannot be locked; legal: open, shut."),
        ("open", "locked", "A door cannot go from open to locked; legal: shut."),
        ("shut", "gone", "A door cannot go from shut to gone; legal: locked, open."),
        ("gone", "open", "A door cannot go from gone to open; legal: nothing, it is final."),
    ],
)
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str, sentence: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        DOOR.check(before, after)
    assert (refused.value.detail, refused.value.code, refused.value.status) == (sentence, "illegal-transition", 409)
