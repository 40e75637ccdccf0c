"""Which settings the gateway starts with."""

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings, address_variable
from kit import settings as kit_settings
from kit.contract import SERVICES

SECRET = "x" * 32


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A development environment in which the gateway starts."""
    for service in SERVICES:
        monkeypatch.setenv(address_variable(service), f"{service}:7000")
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("INTERNAL_KEY_FILE", str(tmp_path / "key.pem"))
    monkeypatch.setenv("INTERNAL_TRUST_FILE", str(tmp_path / "trust.json"))
    monkeypatch.setenv("JWT_DEV_SECRET", SECRET)
    return monkeypatch


def test_addresses_come_from_a_variable_for_each_service() -> None:
    settings = kit_settings.read(Settings)
    assert settings.addresses["agent-runtime"] == "agent-runtime:7000"
    assert settings.addresses.keys() == set(SERVICES)
    assert (settings.opsfield_port, settings.logs_as_json) == (8080, False)


def test_what_is_in_flight_may_take_longer_to_finish_than_a_service_to_answer() -> None:
    settings = kit_settings.read(Settings)
    assert settings.grace_seconds > settings.request_timeout_seconds


def test_proxies_are_addresses_and_networks(environment: pytest.MonkeyPatch) -> None:
    assert kit_settings.read(Settings).trusted_proxies == ()
    environment.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32")
    assert [str(each) for each in kit_settings.read(Settings).trusted_proxies] == [
        "10.0.0.0/8",
        "192.0.2.1/32",
        "2001:db8::/32",
    ]


def test_production_logs_json_unless_told_otherwise(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("JWT_DEV_SECRET")
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("JWKS_URL", "https://issuer.test/keys")
    assert kit_settings.read(Settings).logs_as_json
    environment.setenv("LOG_FORMAT", "console")
    assert not kit_settings.read(Settings).logs_as_json


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ENVIRONMENT": "production"}, "JWT_DEV_SECRET is refused"),
        ({"ENVIRONMENT": "production", "AUTH_MODE": "disabled", "JWT_DEV_SECRET": ""}, "AUTH_MODE=disabled is refused"),
        ({"ENVIRONMENT": "production", "JWT_DEV_SECRET": "", "JWKS_URL": "http://issuer.test/keys"}, "https"),
        ({"ENVIRONMENT": "staging"}, "ENVIRONMENT"),
        ({"ENVIRONMENT": ""}, "ENVIRONMENT"),
        ({"JWT_DEV_SECRET": "x" * 31}, "at least 32 bytes"),
        ({"JWT_DEV_SECRET": ""}, "needs JWKS_URL"),
        ({"AUTH_MODE": "none"}, "AUTH_MODE"),
        ({"OPSFIELD_PORT": "http"}, "OPSFIELD_PORT"),
        ({"OPS_ADDRESS": "", "AGENT_RUNTIME_ADDRESS": ""}, "set AGENT_RUNTIME_ADDRESS, OPS_ADDRESS"),
        ({"INTERNAL_KEY_FILE": ""}, "INTERNAL_KEY_FILE"),
        ({"INTERNAL_TRUST_FILE": ""}, "INTERNAL_TRUST_FILE"),
        ({"JWT_ISSUER": "opsfield/telemetry"}, "JWT_ISSUER must not begin with opsfield/"),
        ({"RAW_BODY_BUDGET_BYTES": "0"}, "RAW_BODY_BUDGET_BYTES"),
        ({"TRUSTED_PROXIES": "*"}, "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "10.0.0.1,proxy"}, "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,::/0"}, "TRUSTED_PROXIES"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[bad"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_unsafe_or_missing_settings_stop_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], says: str
) -> None:
    for name, value in changed.items():
        environment.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        kit_settings.read(Settings)
    assert stopped.value.code == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert says in sentence
    assert SECRET not in sentence
