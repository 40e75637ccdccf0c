"""Each rule of tools/lint_rules.py bites where it should and nowhere else."""

import ast
from pathlib import Path

import pytest

from tools.lint_rules import problems

ENVIRONMENT = "the environment is read in a settings file only"
TIME = "the time comes from kit.clock.now()"
IDS = "an id comes from kit.ids"
TRANSACTION = "only the kit begins and commits transactions"


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("gateway/app.py", "import os\nx = os.environ['A']", ENVIRONMENT),
        ("tools/x.py", "from os import getenv", ENVIRONMENT),
        ("services/ops/store.py", "datetime.now(UTC)", TIME),
        ("kit/relay.py", "x = field(default_factory=datetime.utcnow)", TIME),
        ("services/ops/store.py", "uuid.uuid4()", IDS),
        ("services/ops/store.py", "await connection.execute('COMMIT')", TRANSACTION),
        ("gateway/x.py", "f'begin isolation level serializable {x}'", TRANSACTION),
    ],
)
def test_a_broken_rule_is_told(path: str, code: str, sentence: str) -> None:
    assert sentence in [told for _, told in problems(Path(path), ast.parse(code))]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("gateway/settings.py", "import os\nx = os.environ['A']"),
        ("devstack/environment.py", "import os\nx = os.environ['A']"),
        ("services/ops/tests/test_x.py", "x = os.environ, uuid4(), datetime.now(UTC)"),
        ("kit/clock.py", "datetime.now(UTC)"),
        ("services/ops/store.py", "clock.now()"),
        ("kit/unit_of_work.py", "execute('COMMIT')"),
        ("services/ops/x.py", "'Begin with the client, then commit to a date.'"),
        ("services/ops/migrations/versions/1.py", "'CREATE FUNCTION f() AS $$ DECLARE x int; BEGIN RETURN x; END $$'"),
    ],
)
def test_what_is_allowed_passes(path: str, code: str) -> None:
    assert list(problems(Path(path), ast.parse(code))) == []
