"""`python -m services.agent_runtime`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.agent_runtime.settings import Settings
from services.agent_runtime.wiring import NAME, wire

if __name__ == "__main__":
    settings = read(Settings)
    run(NAME, settings, wire(settings))
