"""The agent at work against a platform that is well, or is not."""

import gzip
import json
import signal
import threading
import time
from datetime import datetime
from email.utils import formatdate
from functools import partial
from pathlib import Path

from edge_agent.tests.agent import FAST, Agent, until
from edge_agent.tests.platform_server import INGEST, ISSUE, POLICY, Platform, Request, Trouble
from opsfield_agent.batch import Batch


def test_it_reports_all_that_the_policy_asks_for(platform: Platform, agent: Agent) -> None:
    with agent.running():
        until(lambda: {"host.uptime_seconds", "disk.used_percent"} <= {e["name"] for e in platform.events("metric")})
        until(lambda: len(platform.batches) > 5)
    names = {event["name"] for event in platform.events("metric")}
    assert {"cpu.used_percent", "cpu.load_1m", "memory.used_percent", "memory.available_bytes"} <= names
    assert {"disk.free_bytes", "host.processes", "host.users"} <= names
    assert all(any(e["type"] == "heartbeat" for e in batch.events) for batch in platform.batches)
    (inventory,) = platform.events("inventory")
    assert inventory["inventory"]["memoryBytes"] > 0
    status = agent.status()
    assert status["batchesSent"] >= 5
    assert status["policyVersion"] == "7"
    assert status["lastError"] is None
    assert not status["running"]


def test_one_connection_is_kept_and_one_token_serves_many_batches(platform: Platform, agent: Agent) -> None:
    with agent.running():
        until(lambda: len(platform.batches) > 10)
    assert platform.routes().count(ISSUE) == 1


def test_a_policy_is_fetched_when_it_changed_and_not_otherwise(platform: Platform, agent: Agent) -> None:
    with agent.running():
        until(lambda: len(platform.batches) > 3)
        assert platform.policy_answers == [200]
        platform.policy |= {"version": 8, "collectors": ["memory"]}
        until(lambda: platform.policy_answers == [200, 200])
        time.sleep(0.3)
        seen = len(platform.events("metric"))
        until(lambda: len(platform.events("metric")) > seen + 10)
    assert {event["name"].partition(".")[0] for event in platform.events("metric")[seen:]} <= {"memory", "swap"}
    assert platform.policy_answers == [200, 200]
    (last,) = [each for each in platform.requests if each.route == POLICY][1:]
    assert last.headers["if-none-match"] == '"7"'


def test_after_a_restart_the_known_policy_holds_and_304_is_understood(platform: Platform, agent: Agent) -> None:
    platform.policy |= {"collectors": ["memory"]}
    with agent.running():
        until(lambda: platform.policy_answers == [200])
    before = len(platform.events("metric"))
    # A copy that does not know its version: the platform is asked and says that nothing changed.
    kept = json.loads((agent.state_dir / "policy.json").read_text())
    del kept["policy"]["version"]
    (agent.state_dir / "policy.json").write_text(json.dumps(kept))
    with agent.running():
        until(lambda: 304 in platform.policy_answers)
        until(lambda: len(platform.events("metric")) > before + 10)
    assert platform.policy_answers == [200, 304]
    assert {e["name"].partition(".")[0] for e in platform.events("metric")[before:]} <= {"memory", "swap"}


def test_a_policy_that_is_not_understood_is_applied_as_far_as_it_is(platform: Platform, agent: Agent) -> None:
    platform.policy |= {"collectors": ["memory", "gpu"], "checks": [{"name": "x", "type": "smtp", "target": "y"}]}
    with agent.running():
        until(lambda: platform.policy_answers == [200])
        until(lambda: len(platform.events("metric")) > 30)
    assert "collector 'gpu'" in agent.log()
    assert "'smtp'" in agent.log()
    assert {e["name"].partition(".")[0] for e in platform.events("metric")[-5:]} <= {"memory", "swap"}


def test_a_policy_that_cannot_be_had_stops_no_batch(platform: Platform, agent: Agent) -> None:
    platform.trouble = lambda route: Trouble(status=500) if route == POLICY else None
    with agent.running():
        until(lambda: len(platform.batches) > 10)
    assert platform.routes().count(POLICY) == 1


def test_it_does_not_ask_before_retry_after_has_passed(platform: Platform, agent: Agent) -> None:
    troubles = [Trouble(status=429, headers={"Retry-After": "2"}), Trouble(status=503, headers={"Retry-After": "1"})]
    platform.trouble = lambda route: troubles.pop(0) if route == INGEST and troubles else None
    with agent.running():
        until(lambda: len(platform.batches) > 3)
    first, second, third = (each.at for each in _ingests(platform)[:3])
    assert 2.0 <= second - first < 4.5
    assert 1.0 <= third - second < 3.5


def test_retry_after_may_be_a_date_by_the_platforms_clock(platform: Platform, agent: Agent) -> None:
    platform.clock_ahead = 3 * 365 * 86400.0
    not_before: list[float] = []

    def busy_once(route: str) -> Trouble | None:
        if route != INGEST or not_before:
            return None
        not_before.append(int(platform.now()) + 3)
        return Trouble(status=503, headers={"Retry-After": formatdate(not_before[0], usegmt=True)})

    platform.trouble = busy_once
    with agent.running():
        until(lambda: len(platform.batches) > 0)
    # Dates have whole seconds.
    assert platform.batches[0].at > not_before[0] - 1
    assert _ingests(platform)[1].at - _ingests(platform)[0].at >= 2.9


def test_what_was_spooled_in_an_outage_comes_in_order_and_one_at_a_time(platform: Platform, agent: Agent) -> None:
    platform.trouble = lambda route: Trouble(status=503)
    with agent.running():
        until(lambda: agent.status()["spool"]["batches"] >= 20)
        waiting = sorted(path.name for path in (agent.state_dir / "spool").glob("*.batch"))
        platform.trouble = lambda route: None
        until(lambda: len(platform.batches) >= len(waiting) + 3)
        assert agent.status()["lastError"].startswith("No token was given (status 503")
    assert [batch.key for batch in platform.batches][: len(waiting)] == [name.split(".")[2] for name in waiting]
    assert "Sending works again" in agent.log()


def test_a_token_that_is_no_longer_valid_is_renewed(platform: Platform, agent: Agent) -> None:
    with agent.running():
        until(lambda: len(platform.batches) > 2)
        platform.forget_tokens()
        before = len(platform.batches)
        until(lambda: len(platform.batches) > before + 3)
    assert platform.routes().count(ISSUE) == 2


def test_a_token_is_renewed_at_half_its_life(platform: Platform, agent: Agent) -> None:
    platform.token_seconds = 4.0
    with agent.running():
        until(lambda: platform.routes().count(ISSUE) >= 3)
    first, second, _ = (each.at for each in platform.requests if each.route == ISSUE)
    # Times in answers have whole seconds.
    assert 0.9 <= second - first <= 3.5
    refused = [e for e in agent.log().splitlines() if "401" in e]
    assert refused == []


def test_a_revoked_agent_falls_silent_until_it_is_known_again(platform: Platform, agent: Agent) -> None:
    agent = agent.with_wishes(set={**FAST, "sender.REFUSED_SECONDS": "(0.8, 0.9)"})
    with agent.running():
        until(lambda: len(platform.batches) > 2)
        platform.revoked = True
        until(lambda: agent.status()["refused"])
        time.sleep(1.2)  # What was under way ends.
        waiting = agent.status()["spool"]["batches"]
        before = platform.routes()
        time.sleep(1.5)
        asked = platform.routes()[len(before) :]
        assert asked
        assert set(asked) == {ISSUE}
        assert agent.status()["spool"]["batches"] == waiting
        platform.revoked = False
        taken = len(platform.batches)
        until(lambda: len(platform.batches) > taken + 3)
        assert not agent.status()["refused"]
    assert "refuses this agent" in agent.log()


def test_a_proxys_page_is_no_receipt_and_no_refusal(platform: Platform, agent: Agent) -> None:
    page = b"<html>Please log in</html>"
    pages = {
        route: [Trouble(status=status, body=page) for status in (200, 302, 400, 401, 403)] for route in (ISSUE, INGEST)
    }
    platform.trouble = lambda route: pages[route].pop() if pages.get(route) else None
    with agent.running():
        until(lambda: len(platform.batches) > 5)
        assert not agent.status()["refused"]
        assert agent.status()["batchesPutAside"] == 0
    assert agent.status()["batchesSent"] == len(platform.batches)
    assert _heartbeats_grow(platform)


def test_a_batch_that_will_never_be_taken_is_put_aside(platform: Platform, agent: Agent) -> None:
    troubles = [Trouble(status=422), Trouble(status=413), Trouble(status=400)]
    platform.trouble = lambda route: troubles.pop() if route == INGEST and troubles else None
    with agent.running():
        until(lambda: len(platform.batches) > 3)
    aside = list((agent.state_dir / "rejected").glob("*.batch"))
    assert len(aside) == 3
    assert agent.status()["batchesPutAside"] == 3
    assert agent.log().count("will never take batch") == 3


def test_a_batch_in_flight_elsewhere_is_sent_again(platform: Platform, agent: Agent) -> None:
    troubles = [Trouble(status=409), Trouble(status=409)]
    platform.trouble = lambda route: troubles.pop() if route == INGEST and troubles else None
    with agent.running():
        until(lambda: len(platform.batches) > 1)
    keys = [each.headers["idempotency-key"] for each in _ingests(platform)]
    assert keys[0] == keys[1] == keys[2] == platform.batches[0].key


def test_rejected_events_are_told_of(platform: Platform, agent: Agent) -> None:
    platform.reject = 1
    with agent.running():
        until(lambda: len(platform.batches) > 1)
    assert agent.status()["eventsRejected"] >= 1
    assert "value: must be a number" in agent.log()


def test_sigterm_ends_it_soon_with_everything_spooled(platform: Platform, agent: Agent) -> None:
    # Its first batch is due in an hour; what it measured until then must not be lost.
    set_ = {**FAST, "backoff.dice.uniform": "lambda least, most: most"}
    (agent.state_dir / "policy.json").write_text(
        '{"etag": null, "policy": {"sendSeconds": 3600, "metricsSeconds": 0.1}}'
    )
    process = agent.with_wishes(set=set_).start()
    time.sleep(3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - began < 5
    (spooled,) = (agent.state_dir / "spool").glob("*.batch")
    events = json.loads(gzip.decompress(Batch.from_file(spooled.read_bytes()).body))["events"]
    assert sum(event.get("name") == "memory.used_percent" for event in events) > 5
    assert platform.batches == []


def test_no_thread_takes_a_stop_signal_from_the_one_that_waits_for_it(platform: Platform, agent: Agent) -> None:
    with agent.running() as process:
        until(lambda: len(platform.batches) > 3)
        masks = [
            line.split()[1]
            for task in Path(f"/proc/{process.pid}/task").iterdir()
            if task.name != str(process.pid)
            for line in _read(task / "status").splitlines()
            if line.startswith("SigBlk")
        ]
    assert len(masks) >= 2
    assert all(int(mask, 16) & 1 << (signal.SIGTERM - 1) for mask in masks)


def test_sigint_ends_it_too(platform: Platform, agent: Agent) -> None:
    process = agent.start()
    until(lambda: len(platform.batches) > 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(6) == 0


def test_sigterm_ends_it_soon_when_the_platform_hangs(platform: Platform, agent: Agent) -> None:
    hangs = threading.Event()

    def hang(route: str) -> Trouble | None:
        hangs.wait(8)
        return Trouble(lose_request=True)

    platform.trouble = hang
    process = agent.start()
    until(lambda: ISSUE in platform.routes())
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - began < 5
    hangs.set()
    assert agent.status()["spool"]["batches"] >= 1


def test_only_one_runs_on_a_state_directory(platform: Platform, agent: Agent) -> None:
    with agent.running() as process:
        until(lambda: len(platform.batches) > 0)
        assert agent.status()["running"]
        second = agent.command("run")
        assert second.returncode == 1
        assert f"(process {process.pid})" in second.stderr
        assert len(second.stderr.splitlines()) == 1
        again = agent.enroll(platform.url, "acme.right-token", "--force")
        assert again.returncode == 1
        assert "stop it first" in again.stderr


def test_a_clock_that_is_years_off_is_made_up_for(platform: Platform, agent: Agent) -> None:
    for ahead in (-6 * 365 * 86400, 9 * 365 * 86400):
        before = len(platform.batches)
        wishes = {**FAST, "clock.wall": f"lambda: old() + {ahead}"}
        with agent.with_wishes(set=wishes).running():
            until(partial(_has_more_than, platform, before + 5))
        for batch in platform.batches[before + 1 :]:
            assert abs(batch.sent_at - ahead - batch.at) < 2
    assert not agent.status()["refused"]


def test_a_clock_that_jumps_between_writing_and_sending_is_made_up_for(platform: Platform, agent: Agent) -> None:
    # Until it has run for two seconds the clock is a year slow; nothing is taken for three.
    jump = "(lambda began, clock: lambda: clock() - (0 if __import__('time').monotonic() - began > 2 else 3e7))"
    wishes = {**FAST, "clock.wall": f"{jump}(__import__('time').monotonic(), old)"}
    end = time.monotonic() + 3
    platform.trouble = lambda route: Trouble(status=503) if time.monotonic() < end else None
    with agent.with_wishes(set=wishes).running():
        until(lambda: len(platform.batches) > 20)
    for batch in platform.batches:
        error = batch.at - batch.sent_at
        newest = max(_observed(each) for each in batch.events) + error
        assert -1 < batch.at - newest < 10, batch


def test_no_secret_is_logged_or_shown(platform: Platform, agent: Agent) -> None:
    with agent.running():
        until(lambda: len(platform.batches) > 2)
    key = json.loads((agent.state_dir / "identity.json").read_text())["privateKey"]
    shown = agent.log() + agent.command("status").stdout + agent.command("status", "--json").stdout
    assert key not in shown
    assert "secret-" not in shown
    assert "right-token" not in shown


def test_it_says_that_it_is_not_enrolled(tmp_path: Path, fresh: Agent) -> None:
    done = fresh.command("run")
    assert done.returncode == 1
    assert done.stderr.startswith("Not enrolled")
    assert not fresh.state_dir.exists()


def _read(path: Path) -> str:
    # A thread may end meanwhile.
    return path.read_text() if path.exists() else ""


def _has_more_than(platform: Platform, batches: int) -> bool:
    return len(platform.batches) > batches


def _ingests(platform: Platform) -> list[Request]:
    return [each for each in platform.requests if each.route == INGEST]


def _observed(event: dict[str, object]) -> float:
    return datetime.fromisoformat(str(event["observedAt"])).timestamp()


def _heartbeats_grow(platform: Platform) -> bool:
    times = [event["observedAt"] for event in platform.events("heartbeat")]
    return times == sorted(times)
