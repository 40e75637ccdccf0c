"""Child processes: stopped in order, killed when they refuse, never left behind."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from devstack import environment
from devstack.layout import REPOSITORY, Layout, StackError
from devstack.lock import take_lock
from devstack.ports import free_ports, port_is_free
from devstack.supervisor import Child, describe_end

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
# Starts a child and is then killed, as `kill -9` of the platform would.
DOOMED = """
import asyncio, os, pathlib, signal, sys
from devstack.supervisor import Child
async def main():
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = Child("x", sleep, dict(os.environ), pathlib.Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def child(tmp_path: Path, code: str, stop_seconds: float = 10) -> Child:
    command = [sys.executable, "-c", code]
    return Child("child", command, environment.base(), tmp_path / "child.log", stop_seconds=stop_seconds)


def has_output(subject: Child) -> bool:
    return subject.log.exists() and subject.log.stat().st_size > 0


async def wait_for_output(subject: Child) -> None:
    while not has_output(subject):
        await asyncio.sleep(0.02)


async def test_a_child_is_asked_to_end_and_its_output_kept(tmp_path: Path) -> None:
    subject = child(tmp_path, "print('up', flush=True); import time; time.sleep(60)")
    await subject.start()
    await wait_for_output(subject)
    assert await subject.stop() == -signal.SIGTERM
    assert "up" in subject.last_words()


async def test_a_child_that_will_not_end_is_killed(tmp_path: Path) -> None:
    subject = child(tmp_path, STUBBORN, stop_seconds=0.2)
    await subject.start()
    await wait_for_output(subject)
    assert await subject.stop() == -signal.SIGKILL


async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    subject = child(tmp_path, code)
    await subject.start()
    await wait_for_output(subject)
    grandchild = psutil.Process(int(subject.log.read_text()))
    await subject.kill()
    await asyncio.to_thread(psutil.wait_procs, [grandchild], 5)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DOOMED, str(tmp_path / "log")),
        cwd=REPOSITORY,
        env=environment.base(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await parent.communicate()
    pid = int(output)
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)


async def test_a_program_that_is_not_there_is_named_in_the_log(tmp_path: Path) -> None:
    subject = Child("child", [str(tmp_path / "nothing")], environment.base(), tmp_path / "child.log")
    await subject.start()
    assert await subject.wait() == 1
    assert "nothing cannot be run: No such file or directory" in subject.last_words()


def test_an_end_is_described_for_people() -> None:
    assert describe_end(3) == "ended with code 3"
    assert describe_end(-9) == "was ended by SIGKILL"


def test_a_data_folder_has_one_holder(layout: Layout) -> None:
    with take_lock(layout), pytest.raises(StackError, match=f"process {os.getpid()}"):
        take_lock(layout)
    take_lock(layout).close()


def test_free_ports_are_free_and_differ() -> None:
    ports = free_ports("127.0.0.1", ["a", "b", "c"])
    assert len(set(ports.values())) == 3
    assert all(port_is_free("127.0.0.1", port) for port in ports.values())


def test_reservations_of_ports_are_for_everybody_and_do_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserved = tmp_path / "ports"
    monkeypatch.setattr("devstack.ports._RESERVED", reserved)
    first = str(free_ports("127.0.0.1", ["a"])["a"])
    assert reserved.stat().st_mode & 0o7777 == 0o1777
    long_ago = time.time() - 3600
    os.utime(reserved / first, (long_ago, long_ago))
    second = str(free_ports("127.0.0.1", ["a"])["a"])
    third = str(free_ports("127.0.0.1", ["a"])["a"])
    assert {file.name for file in reserved.iterdir()} == {second, third}
