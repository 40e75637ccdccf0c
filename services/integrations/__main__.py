"""`python -m services.integrations`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.integrations.settings import Settings
from services.integrations.wiring import NAME, wire

if __name__ == "__main__":
    settings = read(Settings)
    run(NAME, settings, wire(settings))
