"""What the platform offers an enrolled agent, with every answer sorted into what it means."""

from dataclasses import dataclass
from typing import Any

from opsfield_agent import clock
from opsfield_agent.backoff import retry_after
from opsfield_agent.batch import Batch
from opsfield_agent.client import Answer, Client, Unreachable
from opsfield_agent.credentials import Credentials
from opsfield_agent.errors import Later, NeverTaken, Refused
from opsfield_agent.identity import Identity


@dataclass(frozen=True)
class Taken:
    """A batch was taken."""

    accepted: int
    rejected: int
    # What was wrong with the first rejected events.
    errors: list[str]
    policy_version: str | None


class Api:
    """The routes; each raises Later when the platform cannot do it now and Refused when it does not know us."""

    def __init__(self, client: Client, identity: Identity, credentials: Credentials) -> None:
        self._client = client
        self._identity = identity
        self._credentials = credentials

    @property
    def local_address(self) -> str | None:
        """The address by which this machine reaches the platform, once it did."""
        return self._client.local_address

    def ingest(self, batch: Batch) -> Taken:
        """Hand over a batch. Raises NeverTaken too."""
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Idempotency-Key": batch.key,
        }
        sent_at = clock.rfc3339(batch.clock_now())
        answer = self._call("POST", f"/api/v1/events/ingest?sentAt={sent_at}", headers, batch.body)
        if answer.status == 413 or (answer.status in (400, 422) and answer.is_problem):
            raise NeverTaken(answer.describe())
        document = answer.document()
        # A page that some proxy answers with is no receipt.
        if answer.status != 200 or "batchId" not in document:
            raise Later(f"The batch was not taken ({answer.describe()})", retry_after=retry_after(answer))
        return _taken(document)

    def policy(self, etag: str | None) -> tuple[dict[str, Any], str | None] | None:
        """The policy and its ETag; None when it is still the one with this ETag."""
        answer = self._call("GET", "/api/v1/edge-agent/policy", {"If-None-Match": etag} if etag else {}, None)
        if answer.status == 304:
            return None
        document = answer.document()
        if answer.status != 200 or "version" not in document:
            raise Later(f"The policy was not given ({answer.describe()})", retry_after=retry_after(answer))
        return document, answer.headers.get("etag")

    def renew(self) -> None:
        """Show that the platform knows us again."""
        self._credentials.forget()
        self._credentials.token()

    def _call(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        answer = self._authenticated(method, path, headers, body)
        if answer.status == 401:
            self._credentials.forget()
            answer = self._authenticated(method, path, headers, body)
        if answer.status == 401:
            self._credentials.forget()
        if answer.status == 403 and answer.code == "agent-revoked":
            self._credentials.forget()
            raise Refused(f"The platform refuses this agent ({answer.describe()}).")
        return answer

    def _authenticated(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        identified = {
            **headers,
            "Authorization": f"Bearer {self._credentials.token()}",
            "x-workspace-id": self._identity.workspace_id,
        }
        try:
            answer = self._client.request(method, path, headers=identified, body=body)
        except Unreachable as error:
            raise Later(str(error)) from None
        self._credentials.learn(answer)
        return answer


def _taken(document: dict[str, Any]) -> Taken:
    errors = document.get("errors")
    version = document.get("policyVersion")
    return Taken(
        accepted=_count(document.get("accepted")),
        rejected=_count(document.get("rejected")),
        errors=[str(each.get("message")) for each in errors if isinstance(each, dict)]
        if isinstance(errors, list)
        else [],
        policy_version=None if version is None else str(version),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
