"""Generated requests, sensible and senseless, for every operation of the published OpenAPI: never a 500, never an
answer that the document does not describe."""

import os
import subprocess
import sys
from pathlib import Path

from tests.platform import Api, Platform

CONFIG = Path(__file__).with_name("schemathesis.toml")
# For each operation; a long run is one with hundreds.
EXAMPLES = os.environ.get("EXAMPLES", "2")


def test_no_generated_request_breaks_the_contract(platform: Platform, api: Api) -> None:
    api.new_ticket()
    with platform.api(("platform_admin",)) as admin:
        # Without it, GitHub's webhook takes nothing: 503.
        assert admin.post("/platform/secrets/github.webhook", json={"value": "x"}).status_code == 201
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), f"--config-file={CONFIG}", "run"),
        f"{platform.stack.base_url}/api/v1/openapi",
        f"--header=Authorization: Bearer {platform.stack.token(('msp_admin',), (api.workspace,))}",
        f"--header=x-workspace-id: {api.workspace}",
        *(f"--max-examples={EXAMPLES}", "--seed=1", "--max-failures=20", "--suppress-health-check=all", "--no-color"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # Its warnings, of which there are many, come after what it has found, and its requests may be very long.
    found = done.stdout.partition("= FAILURES =")[2].partition("= WARNINGS =")[0] or done.stdout[-4_000:]
    lines = "\n".join(line[:300] for line in found.splitlines())
    assert done.returncode == 0, lines[:12_000] + done.stderr[-2_000:]
