"""How often a caller may ask."""

import pytest

from gateway.tests.clock import Clock
from kit.rate_limit import RateLimited, RateLimiter


def test_the_whole_quota_may_be_spent_at_once_and_no_more(clock: Clock) -> None:
    limiter = RateLimiter(60, clock)
    for _ in range(60):
        limiter.hit("a")
    with pytest.raises(RateLimited) as limited:
        limiter.hit("a")
    assert limited.value.retry_after == 1
    assert (b"ratelimit-policy", b'"default";q=60;w=60') in limited.value.headers
    assert (b"ratelimit", b'"default";r=0;t=1') in limited.value.headers


def test_quota_comes_back_steadily(clock: Clock) -> None:
    limiter = RateLimiter(60, clock)
    for _ in range(60):
        limiter.hit("a")
    clock.now += 2
    limiter.hit("a")
    limiter.hit("a")
    with pytest.raises(RateLimited):
        limiter.hit("a")


def test_a_refused_request_costs_nothing(clock: Clock) -> None:
    limiter = RateLimiter(2, clock)
    limiter.hit("a")
    limiter.hit("a")
    for _ in range(10):
        with pytest.raises(RateLimited):
            limiter.hit("a")
    clock.now += 30
    limiter.hit("a")


def test_callers_do_not_share_a_quota(clock: Clock) -> None:
    limiter = RateLimiter(1, clock)
    limiter.hit(("demo", "a"))
    limiter.hit(("demo", "b"))
    limiter.hit(("other", "a"))


@pytest.mark.parametrize("quota", [1, 7, 6000])
def test_rounding_never_costs_a_request(clock: Clock, quota: int) -> None:
    limiter = RateLimiter(quota, clock)
    clock.now = 1_234_567.890123
    for _ in range(quota):
        limiter.hit("a")
    with pytest.raises(RateLimited):
        limiter.hit("a")


def test_zero_means_no_limit(clock: Clock) -> None:
    limiter = RateLimiter(0, clock)
    for _ in range(10_000):
        limiter.hit("a")


def test_memory_is_bounded(clock: Clock) -> None:
    limiter = RateLimiter(60, clock)
    for number in range(60_000):
        limiter.hit(number)
    assert len(limiter._whole_at) <= 50_000
