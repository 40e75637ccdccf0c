"""`python -m services.telemetry`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.telemetry.settings import Settings
from services.telemetry.wiring import NAME, wire

if __name__ == "__main__":
    run(NAME, read(Settings), wire)
