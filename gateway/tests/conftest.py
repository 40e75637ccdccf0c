"""A whole gateway in front of services that answer as told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway import app
from gateway.settings import Settings
from gateway.tests import tokens
from gateway.tests.clock import Clock
from gateway.tests.fake_service import FakeService, running_services
from kit.contract import SERVICES
from opsfield.telemetry.v1.ingest_pb2 import IngestResult


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="package")
def gateway_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="package")
def key_file(gateway_key: Ed25519PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "gateway.pem"
    path.write_bytes(gateway_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture(scope="package")
def service_keys() -> dict[str, Ed25519PrivateKey]:
    """The key of each service, by its name."""
    return {name: Ed25519PrivateKey.generate() for name in SERVICES}


@pytest.fixture(scope="package")
def trust_file(
    gateway_key: Ed25519PrivateKey,
    service_keys: dict[str, Ed25519PrivateKey],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The public keys of the gateway and of all services."""
    keys = {"gateway": gateway_key, **service_keys}
    path = tmp_path_factory.mktemp("keys") / "trust.json"
    path.write_text(json.dumps({"keys": [tokens.SigningKey(name, "EdDSA", key).jwk() for name, key in keys.items()]}))
    return path


@pytest_asyncio.fixture(scope="package")
async def running(gateway_key: Ed25519PrivateKey) -> AsyncIterator[dict[str, FakeService]]:
    async with running_services(gateway_key.public_key()) as services:
        yield services


@pytest.fixture
def services(running: dict[str, FakeService]) -> dict[str, FakeService]:
    for service in running.values():
        service.reset()
    return running


@pytest.fixture
def ops(services: dict[str, FakeService]) -> FakeService:
    return services["ops"]


@pytest.fixture
def telemetry(services: dict[str, FakeService]) -> FakeService:
    """Takes every batch."""
    services["telemetry"].answers = {"IngestEvents": lambda _: IngestResult(batch_id="b-1", accepted=2)}
    return services["telemetry"]


@pytest.fixture
def settings(services: dict[str, FakeService], key_file: Path, trust_file: Path) -> Settings:
    return Settings(
        environment="development",
        jwt_dev_secret=tokens.SECRET,
        jwt_issuer=tokens.ISSUER,
        jwt_audience=tokens.AUDIENCE,
        internal_key_file=key_file,
        internal_trust_file=trust_file,
        max_body_bytes=64 * 1024,
        addresses={name: service.address for name, service in services.items()},
    )


@pytest_asyncio.fixture
async def gateway(settings: Settings) -> AsyncIterator[app.Gateway]:
    built = app.create(settings)
    yield built
    await built.close()


@pytest_asyncio.fixture
async def http(gateway: app.Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest_asyncio.fixture
async def client(gateway: app.Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """An ops_engineer at work in `demo`."""
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=tokens.bearer()) as client:
        yield client
