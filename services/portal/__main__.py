"""`python -m services.portal`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.portal.settings import Settings
from services.portal.wiring import NAME, wire

if __name__ == "__main__":
    settings = read(Settings)
    run(NAME, settings, wire(settings))
