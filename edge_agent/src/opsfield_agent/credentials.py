"""The short-lived bearer token: got with a signature, renewed in time."""

import json
import logging
import uuid

from opsfield_agent import clock
from opsfield_agent.backoff import retry_after
from opsfield_agent.client import Answer, Client, Unreachable
from opsfield_agent.errors import Later, Refused
from opsfield_agent.identity import Identity

log = logging.getLogger(__name__)

# Of a token whose end cannot be read.
_USUAL_SECONDS = 3600.0


class Credentials:
    """Has a valid token ready."""

    def __init__(self, client: Client, identity: Identity) -> None:
        self._client = client
        self._identity = identity
        self._server_clock = clock.ServerClock()
        self._token: str | None = None
        self._renew_at = 0.0
        self._ends_at = 0.0

    def token(self) -> str:
        """A bearer token that is good for a while. Raises Later; Refused when the platform does not know us."""
        now = clock.steady()
        if self._token is not None and now < self._renew_at:
            return self._token
        try:
            self._renew()
        except Later as error:
            if self._token is None or now >= self._ends_at:
                raise
            log.warning("The token could not be renewed, the old one still works: %s", error)
        assert self._token is not None
        return self._token

    def forget(self) -> None:
        """The token at hand was not accepted."""
        self._token = None

    def learn(self, answer: Answer) -> None:
        """Take the server's time from any of its answers."""
        self._server_clock.learn(answer.headers.get("date"))

    def issue(self, valid_minutes: int | None = None) -> tuple[str, str]:
        """A new token and when it ends (RFC 3339), by default in an hour. Raises Later, Refused."""
        answer = self._ask(valid_minutes)
        if answer.status == 401:
            # Our clock may be wrong: now we know the server's.
            answer = self._ask(valid_minutes)
        if answer.status in (401, 403) and answer.is_problem:
            raise Refused(f"The platform refuses this agent ({answer.describe()}).")
        document = answer.document()
        token, ends_at = document.get("accessToken"), document.get("expiresAt")
        if answer.status != 201 or not isinstance(token, str) or not isinstance(ends_at, str):
            raise Later(f"No token was given ({answer.describe()})", retry_after=retry_after(answer))
        return token, ends_at

    def _ask(self, valid_minutes: int | None) -> Answer:
        assertion = self._identity.key.assertion(self._identity.agent_id, self._server_clock.now())
        body: dict[str, object] = {"assertion": f"{self._identity.workspace_id}.{assertion}"}
        if valid_minutes is not None:
            body["validMinutes"] = valid_minutes
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = self._client.request(
                "POST", "/api/v1/edge-agent/token", headers=headers, body=json.dumps(body).encode()
            )
        except Unreachable as error:
            raise Later(f"No token was given: {error}") from None
        self.learn(answer)
        return answer

    def _renew(self) -> None:
        token, ends_at = self.issue()
        now = clock.steady()
        try:
            lasts = max(0.0, clock.from_rfc3339(ends_at) - self._server_clock.now())
        except (ValueError, OverflowError):
            lasts = _USUAL_SECONDS
        self._token, self._renew_at, self._ends_at = token, now + lasts / 2, now + lasts
