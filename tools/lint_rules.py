"""Rules of this project that no linter knows: each is a few lines over the syntax tree.

    python tools/lint_rules.py [FILE…]

- The environment is read in settings files alone (and in devstack, bench and tests, which set it for others).
- In kit, gateway and services, time comes from kit/clock.py and ids from kit/ids.py, so that tests can set them.
- Only the kit begins and commits transactions.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

PROGRAM_FOLDERS = {"kit", "gateway", "services"}
ENVIRONMENT_FOLDERS = {"devstack", "bench", "tests"}
SOURCES_OF_TIME_AND_IDS = {Path("kit/clock.py"), Path("kit/ids.py")}

ENVIRONMENT = {"environ", "getenv", "putenv"}
TIME = {"now", "utcnow", "today"}
RANDOM_IDS = {"uuid1", "uuid4"}
# Statements, not words in a sentence or the body of a function: `COMMIT`, `BEGIN ISOLATION LEVEL …`, `…; COMMIT`.
TRANSACTION = re.compile(r"(^|;)\s*(COMMIT|BEGIN)\s*(;|$|WORK|TRANSACTION|ISOLATION|READ)", re.IGNORECASE)

Problem = tuple[int, str]


def problems(path: Path, tree: ast.Module) -> Iterator[Problem]:
    """Each broken rule of the file at `path` (relative to the repository), as a line and a sentence."""
    is_test = "tests" in path.parts
    in_program = path.parts[0] in PROGRAM_FOLDERS and not is_test
    may_read_environment = "settings" in path.name or not ENVIRONMENT_FOLDERS.isdisjoint(path.parts)
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        if not may_read_environment and _reads_environment(node):
            yield node.lineno, "the environment is read in a settings file only"
        if in_program and path not in SOURCES_OF_TIME_AND_IDS:
            if _mentions(node, TIME, of={"datetime", "date"}):
                yield node.lineno, "the time comes from kit.clock.now()"
            if _mentions(node, RANDOM_IDS):
                yield node.lineno, "an id comes from kit.ids"
        if in_program and path.parts[0] != "kit" and _is_transaction(node):
            yield node.lineno, "only the kit begins and commits transactions"


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(name.name in ENVIRONMENT for name in node.names)
    return isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and _last_name(node.value) == "os"


def _mentions(node: ast.AST, names: set[str], of: set[str] | None = None) -> bool:
    # A mention suffices: `default_factory=uuid4` calls it as well.
    if _last_name(node) not in names:
        return False
    return of is None or (isinstance(node, ast.Attribute) and _last_name(node.value) in of)


def _is_transaction(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(TRANSACTION.search(node.value))


def _last_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _tracked_files() -> list[Path]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    found = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [path for path in map(Path, found.splitlines()) if (REPOSITORY / path).exists()]


def main() -> int:
    """Check the files that are named, or all; returns 1 when a rule is broken."""
    named = [Path(name).resolve().relative_to(REPOSITORY) for name in sys.argv[1:]]
    broken = 0
    for path in named or _tracked_files():
        tree = ast.parse((REPOSITORY / path).read_text(), filename=str(path))
        for line, sentence in sorted(problems(path, tree)):
            print(f"{path}:{line}: {sentence}")
            broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
