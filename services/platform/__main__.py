"""`python -m services.platform`: serve until SIGTERM."""

from kit.serve import run
from kit.settings import read
from services.platform.setting_versions.handlers import own_settings
from services.platform.settings import Settings
from services.platform.wiring import NAME, wire

if __name__ == "__main__":
    settings = read(Settings)
    run(NAME, settings, wire(settings), settings_source=own_settings)
