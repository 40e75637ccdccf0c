"""Checks: what they find, and that a hanging one delays nothing."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge_agent.tests.agent import Agent, until
from edge_agent.tests.platform_server import Platform, Trouble
from opsfield_agent import policy
from opsfield_agent.batch import Event
from opsfield_agent.check_runner import CheckRunner
from opsfield_agent.checks import look
from opsfield_agent.jobs import Jobs
from opsfield_agent.policy import Check


def test_tcp() -> None:
    with _listener() as port:
        assert look(_check("tcp", f"127.0.0.1:{port}")).status == "ok"
        assert look(_check("tcp", f"[::ffff:127.0.0.1]:{port}")).status == "ok"
    refused = look(_check("tcp", f"127.0.0.1:{port}"))
    assert refused.status == "critical"
    assert "refused" in refused.message
    assert look(_check("tcp", "no-such-host.invalid:80")).status == "critical"
    for target in ("host", "host:", ":80", "host:x", "host:0", "host:70000"):
        assert look(_check("tcp", target)).status == "unknown"


def test_http(platform: Platform) -> None:
    platform.trouble = lambda route: None
    assert look(_check("http", platform.url + "/api/v1/nowhere")).status == "critical"
    for status, outcome in ((204, "ok"), (301, "ok"), (399, "ok"), (400, "critical"), (503, "critical")):
        platform.trouble = _always(status)
        found = look(_check("http", platform.url + "/x?y=z"))
        assert (found.status, str(status) in found.message) == (outcome, True)
    assert look(_check("http", "http://127.0.0.1:1/")).status == "critical"
    assert look(_check("http", "gopher://x")).status == "unknown"


def test_a_server_that_never_ends_its_answer_is_given_up() -> None:
    for words in (b"", b"HTTP/1.1 200 OK\r\n"):
        with _listener(words, endless=bool(words)) as port:
            began = time.monotonic()
            found = look(_check("http", f"http://127.0.0.1:{port}/", timeout=1))
            assert found.status == "critical"
            assert "in time" in found.message
            assert 0.9 < time.monotonic() - began < 3


def test_process() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        assert look(_check("process", "sleep")).status == "ok"
        process.kill()
    assert look(_check("process", "surely-no-such-process")).status == "critical"


def test_checks_are_made_and_reported(platform: Platform, agent: Agent) -> None:
    with _listener() as port:
        platform.policy |= {
            "checks": [
                {"name": "port", "type": "tcp", "target": f"127.0.0.1:{port}", "everySeconds": 1},
                {"name": "web", "type": "http", "target": "http://127.0.0.1:1/", "everySeconds": 1},
                {"name": "me", "type": "process", "target": "no-such", "everySeconds": 1, "timeoutSeconds": 0},
                {"name": "off", "type": "process", "target": "no-such", "everySeconds": 1, "disabled": True},
            ]
        }
        with agent.running():
            until(lambda: {e["name"] for e in platform.events("check")} >= {"port", "web", "me"})
            until(lambda: len(platform.events("check")) > 6)
    assert {(event["name"], event["status"]) for event in platform.events("check")} == {
        ("port", "ok"),
        ("web", "critical"),
        ("me", "critical"),
    }


def test_zero_means_the_default() -> None:
    fields = {"name": "a", "type": "tcp", "target": "b:1", "everySeconds": 0, "timeoutSeconds": 0}
    parsed, complaints = policy.parse({"checks": [fields]})
    assert (parsed.checks[0].every_seconds, parsed.checks[0].timeout_seconds) == (60, 5)
    assert complaints == []


def test_a_check_that_hangs_is_critical_once_a_round_and_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = threading.Event()

    def hang_or_look(check: Check) -> object:
        return ends.wait(20) if check.name == "hangs" else look(check)

    monkeypatch.setattr("opsfield_agent.check_runner.look", hang_or_look)
    monkeypatch.setattr("opsfield_agent.check_runner._GRACE_SECONDS", 0.05)
    recorded: list[Event] = []
    runner = CheckRunner(Jobs(), recorded.append)
    hangs = Check("hangs", "tcp", "slow:1", every_seconds=0.5, timeout_seconds=0.2)
    fine = Check("fine", "process", "no-such", every_seconds=0.1, timeout_seconds=1)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        runner.tick((hangs, fine))
        time.sleep(0.01)
    by_name = [event.fields["name"] for event in recorded]
    assert by_name.count("fine") > 15
    assert 4 <= by_name.count("hangs") <= 7
    assert {e.fields["status"] for e in recorded if e.fields["name"] == "hangs"} == {"critical"}
    ends.set()


def test_a_check_that_the_policy_no_longer_has_is_not_made() -> None:
    recorded: list[Event] = []
    runner = CheckRunner(Jobs(), recorded.append)
    check = Check("gone", "process", "no-such", every_seconds=0.05)
    until(lambda: runner.tick((check,)) and len(recorded) > 2)
    assert runner.tick(()) == float("inf")
    time.sleep(0.3)
    before = len(recorded)
    runner.tick(())
    time.sleep(0.2)
    assert len(recorded) == before


def _check(type_: str, target: str, timeout: float = 5.0) -> Check:
    return Check("name", type_, target, timeout_seconds=timeout)


def _always(status: int) -> Callable[[str], Trouble]:
    return lambda route: Trouble(status=status)


@contextmanager
def _listener(words: bytes = b"", *, endless: bool = False) -> Iterator[int]:
    """A port that takes connections, says `words` and then a header without an end, a byte at a time."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                continue
            with connection:
                connection.sendall(words)
                while endless and not ended.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        break
                if not endless:
                    ended.wait(1.5)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()
