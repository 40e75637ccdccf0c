"""docker-compose.yml and the Dockerfile: every program is there, hardened, and gets all that it wants of its
environment, in production too."""

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from devstack.compose import prepare
from devstack.layout import GATEWAY, REPOSITORY, SERVICES, module
from kit.database_settings import BootstrapSettings, MigrateSettings

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
PROGRAMS = (*SERVICES, GATEWAY)
JOBS = tuple(f"{service}-database" for service in SERVICES)
# Writes its configuration beside itself.
WRITES = {"kafka"}
DOCKERFILE = (REPOSITORY / "deploy" / "image" / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's after `make compose-secrets`."""
    folder = tmp_path_factory.mktemp("compose")
    prepare(folder / ".compose", folder / ".env")
    return folder


def test_every_program_is_there_and_nothing_else_of_ours() -> None:
    ours = {name for name, each in CONTAINERS.items() if "opsfield" in each["image"]}
    assert ours == {*PROGRAMS, *JOBS}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_can_do_little(name: str) -> None:
    container = CONTAINERS[name]
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    assert container.get("read_only", False) or name in WRITES
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(container)
    assert container["restart"] in ("unless-stopped", "on-failure")


@pytest.mark.parametrize("name", CONTAINERS)
def test_only_loopback_is_listened_on_unless_somebody_says_so(name: str) -> None:
    for port in CONTAINERS[name].get("ports", ()):
        assert port.startswith(("127.0.0.1:", "${OPSFIELD_BIND:-127.0.0.1}:"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_starts_after_what_it_needs_and_is_looked_after(name: str) -> None:
    container = CONTAINERS[name]
    needs = container["depends_on"]
    if name == GATEWAY:
        assert needs == {service: {"condition": "service_healthy"} for service in SERVICES}
    else:
        assert needs[f"{name}-database"] == {"condition": "service_completed_successfully"}
        assert needs["kafka"] == {"condition": "service_healthy"}
    assert container["command"] == [name]
    assert container["healthcheck"]["test"][:3] == ["CMD", "opsfield", "health"]


@pytest.mark.parametrize("stage", ["development", "production"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_finds_every_setting_it_needs(
    name: str, stage: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {**read_env(made / ".env"), "ENVIRONMENT": stage}
    if stage == "production":
        variables |= {"JWKS_URL": "https://issuer.example/keys", "JWT_ISSUER": "https://issuer.example"}
    environment = environment_of(name, made, variables)
    if stage == "production":
        environment.pop("JWT_DEV_SECRET", None)
    settings = settings_of(name, environment, monkeypatch)
    assert settings.environment == stage  # type: ignore[attr-defined]
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            secret = value.removeprefix("/run/secrets/")
            assert secret in CONTAINERS[name]["secrets"]
            assert (made / COMPOSE["secrets"][secret]["file"]).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("name", JOBS)
def test_a_job_finds_what_it_needs_to_prepare_the_database(
    name: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_of(name, made, {})
    for kind in (BootstrapSettings, MigrateSettings):
        use(environment, monkeypatch)
        kind()
    assert CONTAINERS[name]["command"] == ["prepare", name.removesuffix("-database")]


def test_secrets_stay_what_they_were_and_with_their_owner(made: Path) -> None:
    def kept() -> dict[Path, str]:
        return {path: path.read_text() for path in made.rglob("*") if path.is_file()}

    before = kept()
    prepare(made / ".compose", made / ".env")
    assert kept() == before
    assert (made / ".compose").stat().st_mode & 0o777 == 0o700
    ours = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {"/.compose/", "/.env"} <= set(ours)


def test_the_services_passwords_are_all_different(made: Path) -> None:
    files = (made / ".compose" / "env").glob("*.env")
    of_role = {re.sub(r"/\w*$", "", url) for path in files for url in read_env(path).values() if "://" in url}
    assert len({url.split(":")[2] for url in of_role}) == len(of_role) == 3 * len(SERVICES) + 1


def test_the_image_runs_as_nobody_from_what_is_pinned() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert "pip install --require-hashes" in DOCKERFILE
    runtime = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "RUN" not in runtime.split()
    copied = re.findall(r"^COPY ([\w/.-]+)", DOCKERFILE.partition("\nFROM ${PYTHON_IMAGE}\n")[0], re.MULTILINE)
    let_through = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_through


def environment_of(name: str, made: Path, variables: dict[str, str]) -> dict[str, str]:
    """What a container gets, `variables` filled in as Compose does."""
    container = CONTAINERS[name]
    written = {key: fill(str(value), variables) for key, value in container.get("environment", {}).items()}
    return {**read_env(made / container["env_file"]), **written}


def fill(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1]) or found[2], text)


def read_env(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def settings_of(name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> BaseSettings:
    use(environment, monkeypatch)
    place = "gateway.settings" if name == GATEWAY else f"services.{module(name)}.settings"
    settings: BaseSettings = import_module(place).Settings()
    return settings


def use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
