"""Settings of an engine beside the built-in one."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.agent_runtime.settings import Settings

NEEDED: dict[str, Any] = {
    "environment": "development",
    "database_url": "postgresql://x",
    "database_relay_url": "postgresql://x",
    "kafka_bootstrap_servers": "x:1",
    "internal_key_file": Path("x"),
    "internal_trust_file": Path("x"),
    "platform_address": "x:1",
    "integrations_address": "x:1",
    "ops_address": "x:1",
    "portal_address": "x:1",
    "telemetry_address": "x:1",
    "workflow_address": "x:1",
}


def test_agentfield_is_no_engine_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGENTFIELD_URL", "AGENTFIELD_API_KEY", "AGENTFIELD_CALLBACK_URL"):
        monkeypatch.setenv(name, "")
    settings = Settings(**NEEDED)
    assert (settings.agentfield_url, settings.agentfield_api_key, settings.agentfield_callback_url) == (
        None,
        None,
        None,
    )


def test_agentfields_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTFIELD_URL", "http://agentfield:8080")
    monkeypatch.setenv("AGENTFIELD_API_KEY", "hunter2")
    settings = Settings(**NEEDED)
    assert str(settings.agentfield_url) == "http://agentfield:8080/"
    assert settings.agentfield_api_key is not None
    assert settings.agentfield_api_key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("url", ["agentfield:8080", "ftp://agentfield", "http://"])
def test_what_is_no_url_stops_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AGENTFIELD_URL", url)
    with pytest.raises(ValidationError, match="agentfield_url"):
        Settings(**NEEDED)
