"""What it takes to record what a process does is there when it is asked for."""

import subprocess
import sys

_LOADED = """
import sys

import kit.serve

print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""


def test_a_process_without_a_collector_loads_nothing_of_the_sdk() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
