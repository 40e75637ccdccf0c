"""A data folder with its secrets, and a database server on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.keys import ensure_secrets
from devstack.layout import POSTGRES, Layout
from devstack.ports import free_ports
from devstack.postgres import HOST, Postgres


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A fresh data folder, at a path too long for a Unix socket."""
    layout = Layout(tmp_path / ("long-" * 20) / "data")
    layout.create()
    ensure_secrets(layout)
    return layout


@pytest.fixture
async def postgres(layout: Layout) -> AsyncIterator[Postgres]:
    """A server that runs."""
    server = Postgres(layout, free_ports(HOST, [POSTGRES])[POSTGRES])
    try:
        await server.start()
        yield server
    finally:
        await server.child.stop()
