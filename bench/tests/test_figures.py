"""The comparison speaks of what is worse by more than the noise, and of nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.figures import Figure, compare, load, save, table


def _rate(*rounds: float, floors: Sequence[float] = (100, 100, 100)) -> Figure:
    return Figure("tickets", "POST /tickets", "/s", rounds, "plain program", floors, aim=0.5)


def _cost(*rounds: float) -> Figure:
    return Figure("executions", "one", "ms", rounds, less_is_better=True, aim=8)


def test_a_ratio_that_fell_beyond_its_spread_is_told() -> None:
    [told] = compare([_rate(80, 82, 84)], [_rate(60, 62, 64)])
    assert told == "tickets: POST /tickets went from 0.82 to 0.62 of plain program: 32% worse"


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(_rate(90, 92, 94), id="better"),
        pytest.param(_rate(70, 75, 81), id="within the spread"),
        pytest.param(_rate(79, 79, 79), id="hardly worse"),
        pytest.param(_rate(40, 41, 42, floors=(50, 50, 50)), id="the machine is slower"),
    ],
)
def test_what_is_not_worse_is_not_told(now: Figure) -> None:
    assert compare([_rate(80, 82, 84)], [now]) == []


def test_more_is_worse_where_less_is_better() -> None:
    assert compare([_cost(8.0, 8.2)], [_cost(12.0, 12.4)])
    assert not compare([_cost(8.0, 8.2)], [_cost(4.0, 4.4)])


def test_what_stands_alone_may_move_more() -> None:
    assert not compare([_cost(8.0, 8.1)], [_cost(9.0, 9.1)])


def test_figures_are_kept_by_part(tmp_path: Path) -> None:
    kept = tmp_path / "baseline.json"
    save(kept, [_rate(1, 2, 3), _cost(4)])
    save(kept, [_cost(5)])
    assert [list(each.rounds) for each in load(kept)] == [[1, 2, 3], [5]]
    assert load(tmp_path / "none.json") == []


def test_the_table_tells_whether_an_aim_is_met() -> None:
    told = table([_rate(60, 62, 64), _cost(9)]).splitlines()
    assert told[1].endswith("≥ 0.5 met")
    assert told[2].endswith("≤ 8 NOT MET")
