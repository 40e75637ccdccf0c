"""`python -m services.platform`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.platform.settings import Settings
from services.platform.wiring import NAME, handlers

if __name__ == "__main__":
    run(NAME, read(Settings), handlers=handlers())
