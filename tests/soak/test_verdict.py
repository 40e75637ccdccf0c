"""The verdict tells what grows from what warms up, and from what swings."""

from tests.soak.verdict import courses


def _grew(values: list[float]) -> bool:
    [course] = courses([{"ops": value} for value in values])
    return course.grew(share=0.1, least=10)


def test_a_leak_shows() -> None:
    assert _grew([100.0 + 2 * minute for minute in range(60)])


def test_what_warms_up_and_then_stays_did_not_grow() -> None:
    assert not _grew([50.0 + min(minute, 10) * 10 for minute in range(60)])


def test_what_swings_did_not_grow() -> None:
    assert not _grew([100.0 + 30 * (minute % 5) for minute in range(60)])


def test_little_is_no_leak() -> None:
    assert not _grew([20.0 + minute / 10 for minute in range(60)])


def test_what_comes_late_grew() -> None:
    [course] = courses([{}] * 30 + [{"late": 40.0}] * 30)
    assert course.grew(share=0.1, least=10)
