"""Settings come from the environment and are checked at start."""

import os

import pytest

from kit.settings import ServiceSettings, read

GOOD = {
    "ENVIRONMENT": "development",
    "DATABASE_URL": "postgresql://ops_app@localhost/ops",
    "DATABASE_RELAY_URL": "postgresql://ops_relay@localhost/ops",
    "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
    "INTERNAL_KEY_FILE": "/keys/ops.pem",
    "INTERNAL_TRUST_FILE": "/keys/trust.json",
    "PLATFORM_ADDRESS": "localhost:7000",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Just the good settings."""
    for name in ServiceSettings.model_fields:
        for spelling in (name, name.upper()):
            if spelling in os.environ:
                monkeypatch.delenv(spelling)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a start with these settings says on stderr before it ends with code 2."""
    with pytest.raises(SystemExit) as end:
        read(ServiceSettings)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_what_is_given_is_read_and_the_rest_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", "20")
    settings = read(ServiceSettings)
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert (settings.database_pool_size, settings.grpc_listen) == (20, "127.0.0.1:7000")


def test_what_is_missing_is_named_in_one_sentence_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    assert complaints(capsys) == [f"{name}: Field required" for name in GOOD]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("LOG_LEVEL", "loud"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_POOL_SIZE", "many"),
        ("GRACE_SECONDS", "0"),
        ("TRACE_SAMPLE_RATIO", "1.5"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[bad"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (sentence,) = complaints(capsys)
    assert sentence.startswith(f"{name}: ")


def test_a_complaint_does_not_show_the_secret_it_is_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ops:hunter2@localhost/ops")
    monkeypatch.setenv("DATABASE_POOL_SIZE", "0")
    assert "hunter2" not in "".join(complaints(capsys))


def test_faults_are_refused_in_production(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CRASH_AT", "before-commit")
    assert read(ServiceSettings).crash_at == "before-commit"
    monkeypatch.setenv("ENVIRONMENT", "production")
    (sentence,) = complaints(capsys)
    assert "CRASH_AT is for fault tests" in sentence


def test_logs_are_json_in_production_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not read(ServiceSettings).logs_as_json
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert read(ServiceSettings).logs_as_json
    monkeypatch.setenv("LOG_FORMAT", "console")
    assert not read(ServiceSettings).logs_as_json


def test_each_setting_says_what_it_is() -> None:
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []
