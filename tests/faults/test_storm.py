"""A short run of the programme; `make test-faults SEED=1 MINUTES=30` is a long one."""

from pathlib import Path

from tests.faults.storm.programme import run


def test_whatever_fails_the_books_add_up(tmp_path: Path) -> None:
    found = run(tmp_path, seed=11, minutes=0.3, report=print)
    assert found["faults"] > 1
    assert found["requests"] > 100
