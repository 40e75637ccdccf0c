"""Requests with a raw body: batches of telemetry."""

from collections.abc import AsyncIterator

from gateway.tests.tokens import bearer

MIB = 1024 * 1024
INGEST = "/api/v1/events/ingest"
AGENT_ID = "0193a4a4-7d2b-7000-8000-000000000009"
KEY = {"idempotency-key": "k"}
JSON = {"content-type": "application/json"}
AGENT = bearer(roles=["endpoint_agent"], agentId=AGENT_ID)


async def unread() -> AsyncIterator[bytes]:
    """A body that nobody may ask for."""
    for chunk in (b"",):
        assert chunk, "the body was read"
        yield chunk
