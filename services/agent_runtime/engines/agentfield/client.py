"""Calls of AgentField's control plane over HTTP: bounded in size and time, redirects not followed."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from services.agent_runtime.engines.port import Json

# A result of the largest that is taken, and as often again in the webhooks that tell of it.
_MOST_BYTES = 8 * 1024 * 1024
_SECONDS = 10.0
_MOST_PAGES = 20
_PAGE = 100
_LONGEST_TEXT = 300
_LONGEST_WAIT = 30.0
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


class ControlPlaneError(Exception):
    """It did not do what was asked; says why, in a sentence."""


class Unreachable(ControlPlaneError):
    """It cannot be reached, does not answer in time or as it should: nobody knows whether it did what was asked."""


class NotSent(Unreachable):
    """There was no connection, so it has not heard of it."""


class Busy(ControlPlaneError):
    """It takes nothing at the moment (429, 503). `retry_after`: seconds."""

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Refused(ControlPlaneError):
    """It will not do that."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status

    @property
    def is_of_access(self) -> bool:
        """Whether it was not what was asked, but who asked: the key is missing or wrong."""
        return self.status in (401, 403)


class TooLong(ControlPlaneError):
    """What it answers is longer than is read."""


@dataclass(frozen=True)
class Accepted:
    """An execution that was begun. `webhook_problem`: why they will not call back, though they were asked to."""

    execution_id: str
    webhook_problem: str | None


class ControlPlane:
    """`url`: where it answers, without `/api/v1`. Close it."""

    def __init__(self, url: str, api_key: str | None = None, *, seconds: float = _SECONDS) -> None:
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "opsfield"}
        if api_key:
            headers["x-api-key"] = api_key
        self._seconds = seconds
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"), headers=headers, timeout=seconds, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def version(self) -> str:
        """What it says of itself. Raises ControlPlaneError."""
        said = (await self._ask("GET", "/health")).get("version")
        return said[:50] if isinstance(said, str) else ""

    async def capabilities(self) -> list[Json]:
        """The agents it knows, each with its `reasoners` and `skills`. Raises ControlPlaneError."""
        found: list[Json] = []
        for page in range(_MOST_PAGES):
            query = {
                "include_descriptions": "true",
                "include_input_schema": "true",
                "include_output_schema": "true",
                "limit": str(_PAGE),
                "offset": str(page * _PAGE),
            }
            answer = await self._ask("GET", "/api/v1/discovery/capabilities", params=query)
            found += _objects(answer.get("capabilities"))
            pagination = answer.get("pagination")
            if not isinstance(pagination, dict) or pagination.get("has_more") is not True:
                break
        return found

    async def execute(self, target: str, body: Json, headers: Mapping[str, str]) -> Accepted:
        """Begin an execution of `agent.reasoner`. It has no idempotency key: asked twice, it begins two. Raises
        ControlPlaneError."""
        answer = await self._ask("POST", f"/api/v1/execute/async/{quote(target, safe='')}", body, headers)
        their_id = answer.get("execution_id")
        if not isinstance(their_id, str) or not _ID.fullmatch(their_id):
            raise Unreachable("The control plane took an execution without telling its id.")
        problem = None
        if "webhook" in body and answer.get("webhook_registered") is not True:
            problem = one_line(answer.get("webhook_error")) or "it does not say why"
        return Accepted(their_id, problem)

    async def execution(self, their_id: str) -> Json | None:
        """Its status and result; None for one that is not known there. Raises ControlPlaneError."""
        return await self._find(f"/api/v1/executions/{quote(their_id, safe='')}")

    async def of_run(self, run_id: str) -> list[Json]:
        """The executions that were begun in a run, without those that they began in turn. Raises ControlPlaneError."""
        # Its answers of this area are in an envelope.
        answer = await self._find(f"/api/v1/agentic/run/{quote(run_id, safe='')}") or {}
        data = answer.get("data")
        executions = _objects((data if isinstance(data, dict) else answer).get("executions"))
        return [each for each in executions if not each.get("parent_execution_id") and _has_id(each)]

    async def cancel(self, their_id: str, reason: str) -> None:
        """Ask it to end one. One that has ended, or is not known there, is none that runs. Raises ControlPlaneError."""
        try:
            await self._ask("POST", f"/api/v1/executions/{quote(their_id, safe='')}/cancel", {"reason": reason})
        except Refused as error:
            if error.status not in (404, 409):
                raise

    async def _find(self, path: str) -> Json | None:
        try:
            return await self._ask("GET", path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def _ask(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        content = None if body is None else orjson.dumps(body)
        sent = {**(headers or {}), **({"content-type": "application/json"} if content is not None else {})}
        try:
            # The client's own timeouts are of each read alone.
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream(method, path, content=content, headers=sent, params=params) as response,
            ):
                data = await _read(response)
        except TimeoutError:
            raise Unreachable("The control plane did not answer in time.") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(f"The control plane cannot be reached: {type(error).__name__}.") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"The control plane cannot be reached: {type(error).__name__}.") from error
        return _judged(response, data)


def one_line(value: Any, most: int = _LONGEST_TEXT) -> str:
    """What they say, as a text for people: no more than a line; empty for what is none."""
    if not isinstance(value, str):
        return ""
    return " ".join(value.replace("\0", "").encode(errors="replace").decode().split())[:most]


def _judged(response: httpx.Response, data: bytes) -> Json:
    status = response.status_code
    try:
        answer = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        answer = None
    said = _reason(answer) if isinstance(answer, dict) else ""
    if status in (429, 503):
        raise Busy(f"The control plane takes nothing at the moment ({status}): {said}", _wait(response, answer))
    if 400 <= status < 500:
        raise Refused(f"The control plane refuses it ({status}): {said}", status)
    if not response.is_success:
        raise Unreachable(f"The control plane answers {status}: {said}")
    if not isinstance(answer, dict):
        raise Unreachable("What the control plane answers is no JSON object.")
    return answer


async def _read(response: httpx.Response) -> bytes:
    # Not inflated: nothing compressed was asked for.
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unreachable("The control plane compresses what it answers.")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > _MOST_BYTES:
            raise TooLong(f"What the control plane answers has more than {_MOST_BYTES} bytes.")
    return bytes(data)


def _reason(answer: Json) -> str:
    """Their errors have no one shape: `error` may be a code, with a `message`, or the sentence itself."""
    return ", ".join(text for text in map(one_line, (answer.get("error"), answer.get("message"))) if text)


def _wait(response: httpx.Response, answer: Any) -> float:
    said = answer.get("retry_after") if isinstance(answer, dict) else None
    given: Any = response.headers.get("retry-after", said)
    seconds = 1.0
    with suppress(TypeError, ValueError):
        seconds = float(given)
    return min(max(seconds, 0.1), _LONGEST_WAIT) if seconds == seconds else 1.0


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _has_id(execution: Json) -> bool:
    their_id = execution.get("execution_id")
    return isinstance(their_id, str) and bool(_ID.fullmatch(their_id))
