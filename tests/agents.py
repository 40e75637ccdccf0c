"""Endpoint agents as tests play them, over HTTP alone."""

import base64
import gzip
import itertools
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.platform import Api, Platform, new_key

_names = itertools.count(1)


def new_enrollment_token(api: Api, client_id: str | None = None, **fields: Any) -> str:
    """An enrollment token, of a new client unless one is named. `api` is an engineer's."""
    answer = api.post("/edge-agent/enrollment/rotate", json={"clientId": client_id or api.new_client()["id"], **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


class Fleet:
    """What its agents send their requests with."""

    def __init__(self, platform: Platform) -> None:
        self.http = httpx.Client(base_url=platform.stack.base_url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()


class Agent:
    """One that is enrolled, unless `token` is refused: then `enrolled` says how."""

    def __init__(self, fleet: Fleet, token: str, *, hostname: str | None = None, **fields: Any) -> None:
        self.hostname = hostname or f"host-{next(_names)}"
        self.key = Ed25519PrivateKey.generate()
        self.http = fleet.http
        self.workspace = token.partition(".")[0]
        self.enrolled = self.enroll(token, **fields)
        self.id = self.enrolled.json().get("agentId", "") if self.enrolled.is_success else ""
        self._bearer: str | None = None

    def enroll(self, token: str, *, key: str | None = None, **fields: Any) -> httpx.Response:
        body = {"token": token, "publicKey": self.public_key, "hostname": self.hostname, **fields}
        headers = {"idempotency-key": key or new_key()}
        return self.http.post("/api/v1/edge-agent/enroll", json=body, headers=headers)

    @property
    def public_key(self) -> str:
        return base64.urlsafe_b64encode(self.key.public_key().public_bytes_raw()).decode().rstrip("=")

    def assertion(self, **claims: Any) -> str:
        now = int(time.time())
        standard = {"iss": self.id, "sub": self.id, "aud": "opsfield", "iat": now, "exp": now + 60, "jti": new_key()}
        return jwt.encode({**standard, **claims}, self.key, algorithm="EdDSA")

    def ask_token(self, credential: str | None = None, **fields: Any) -> httpx.Response:
        body = {"assertion": credential or f"{self.workspace}.{self.assertion()}", **fields}
        return self.http.post("/api/v1/edge-agent/token", json=body, headers={"idempotency-key": new_key()})

    @property
    def bearer(self) -> str:
        if self._bearer is None:
            answer = self.ask_token()
            assert answer.status_code == 201, answer.text
            self._bearer = answer.json()["accessToken"]
        return self._bearer

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.bearer}", "x-workspace-id": self.workspace}

    def get(self, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        return self.http.get(f"/api/v1{path}", headers={**self.headers, **(headers or {})}, **options)

    def send(self, *events: Mapping[str, Any], key: str | None = None, **options: Any) -> httpx.Response:
        """Send a batch; `options` are those of `send_bytes`."""
        return self.send_bytes(gzip.compress(orjson.dumps({"events": events}), mtime=0), key=key, **options)

    def send_bytes(
        self,
        body: bytes,
        *,
        key: str | None = None,
        encoding: str = "gzip",
        content_type: str = "application/json",
        **options: Any,
    ) -> httpx.Response:
        headers = {"content-type": content_type, "idempotency-key": key or new_key(), **self.headers}
        if encoding:
            headers["content-encoding"] = encoding
        return self.http.post("/api/v1/events/ingest", content=body, headers=headers, **options)

    def accepted(self, *events: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Send a batch of which every event is taken."""
        answer = self.send(*events, **options)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        assert (result["accepted"], result["rejected"]) == (len(events), 0), result
        return result


def metric(
    name: str = "cpu.used_percent", value: Any = 1.5, *, instance: str | None = None, at: datetime | None = None
) -> dict[str, Any]:
    return {"type": "metric", "observedAt": _written(at), "name": name, "instance": instance, "value": value}


def heartbeat(at: datetime | None = None) -> dict[str, Any]:
    return {"type": "heartbeat", "observedAt": _written(at)}


def check(name: str, status: str, at: datetime | None = None) -> dict[str, Any]:
    return {"type": "check", "observedAt": _written(at), "name": name, "status": status}


def inventory(hostname: str, **fields: Any) -> dict[str, Any]:
    return {"type": "inventory", "observedAt": _written(None), "inventory": {"hostname": hostname, **fields}}


def ndjson(events: Sequence[Mapping[str, Any]]) -> bytes:
    return b"\n".join(map(orjson.dumps, events))


def new_serial() -> str:
    return uuid.uuid4().hex


def _written(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).isoformat()
