"""`python -m services.workflow`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.workflow.settings import Settings
from services.workflow.wiring import NAME, wire

if __name__ == "__main__":
    settings = read(Settings)
    run(NAME, settings, wire(settings))
