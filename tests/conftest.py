"""The platform, once for all tests that go through its front door: real processes, real PostgreSQL, embedded Kafka; or
one that runs already (tests/remote.py)."""

from collections.abc import Iterator

import pytest

from tests.agents import Fleet
from tests.platform import Api, Platform, remote_url
from tests.remote import RemotePlatform


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything running, without the demo workspace."""
    url = remote_url()
    with RemotePlatform(url) if url else Platform(tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def api(platform: Platform) -> Iterator[Api]:
    """An engineer in a workspace of the test's own."""
    with platform.api() as api:
        yield api


@pytest.fixture
def fleet(platform: Platform) -> Iterator[Fleet]:
    """For endpoint agents."""
    with Fleet(platform) as fleet:
        yield fleet
