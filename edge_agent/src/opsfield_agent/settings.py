"""What the environment and the command line say. The only file that reads the environment."""

import os
import urllib.request
from pathlib import Path

DEFAULT_LOG_LEVEL = "info"
MOST_SPOOL_BYTES = 100 * 1024 * 1024
MOST_SPOOL_SECONDS = 7 * 24 * 3600.0


def state_dir(option: str | None) -> Path:
    """Where the agent keeps what it must remember: the option, OPSFIELD_AGENT_STATE_DIR, or the usual place."""
    named = option or os.environ.get("OPSFIELD_AGENT_STATE_DIR")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/opsfield-agent")
    return Path("~/.local/state/opsfield-agent").expanduser()


def proxy(scheme: str, host: str) -> str | None:
    """The URL of the proxy for a host, from HTTPS_PROXY, HTTP_PROXY and NO_PROXY; None: directly."""
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)
