"""What the image's entry point makes of the words that it is started with."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable

import pytest

from devstack.layout import REPOSITORY, SERVICES, module

FILE = REPOSITORY / "deploy" / "image" / "entrypoint.py"


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The program that the words lead to."""
    spec = importlib.util.spec_from_file_location("entrypoint", FILE)
    assert spec
    assert spec.loader
    entrypoint = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(entrypoint)
    monkeypatch.chdir(REPOSITORY)

    def ask(*words: str) -> str:
        started: list[list[str]] = []

        def replace(program: str, command: list[str]) -> None:
            assert program == command[0] == sys.executable
            started.append(command[1:])

        def call(command: list[str]) -> int:
            started.append(command[1:])
            return 0

        monkeypatch.setattr("os.execv", replace)
        monkeypatch.setattr("subprocess.call", call)
        entrypoint.main(list(words))
        return "; ".join(" ".join(command) for command in started)

    return ask


def test_a_name_is_the_program_of_that_name(becomes: Callable[..., str]) -> None:
    for service in SERVICES:
        assert becomes(service) == f"-m services.{module(service)}"
    assert becomes("gateway") == "-m gateway"


def test_a_database_is_prepared_before_it_is_migrated(becomes: Callable[..., str]) -> None:
    assert becomes("prepare", "agent-runtime") == (
        "-m kit.bootstrap --service agent-runtime; -m kit.migrate agent-runtime"
    )
    assert becomes("bootstrap", "ops") == "-m kit.bootstrap --service ops"
    assert becomes("migrate", "ops") == "-m kit.migrate ops"
    assert becomes("demo") == "-m services.ops.demo"
    assert becomes("demo", "agent-runtime") == "-m services.agent_runtime.demo"
    assert becomes("health", "127.0.0.1:7000") == "-m kit.probe 127.0.0.1:7000"


@pytest.mark.parametrize("words", [[], ["nothing"], ["../ops"], ["ops", "twice"]])
def test_whoever_says_something_else_is_told_the_names(words: list[str]) -> None:
    command = [sys.executable, str(FILE), *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(service in done.stderr for service in SERVICES)
