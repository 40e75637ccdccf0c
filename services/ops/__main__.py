"""`python -m services.ops`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.ops.settings import Settings
from services.ops.wiring import NAME, wire

if __name__ == "__main__":
    run(NAME, read(Settings), wire)
