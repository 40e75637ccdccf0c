"""Enrolling: exchange a token for an identity.

The key pair is on disk before the platform hears of it, and the platform gives the same key the same identity. The
idempotency key is made of the request. So a crash or a lost answer at any instant, and another try, end with one
identity.
"""

import contextlib
import hashlib
import json
import logging
import time

from opsfield_agent import __version__, files, hardware, identity, urls
from opsfield_agent.backoff import Backoff, retry_after
from opsfield_agent.client import Answer, Client, Unreachable
from opsfield_agent.errors import AgentError, Later
from opsfield_agent.identity import Identity
from opsfield_agent.inventory import hostname, operating_system
from opsfield_agent.keys import AgentKey
from opsfield_agent.state import State

log = logging.getLogger(__name__)


def enroll(
    state: State,
    url: urls.Url,
    token: str,
    *,
    ca_file: str | None = None,
    hardware_id: str | None = None,
    force: bool = False,
    patience: float = 0.0,
) -> Identity:
    """Get and keep an identity; while the platform cannot be reached, try again for `patience` seconds.

    `hardware_id` takes the place of the firmware's; an empty one: none. Raises AgentError.
    """
    client = Client(url, ca_file)
    state.prepare()
    with state.hold(), contextlib.closing(client):
        try:
            return _enroll(state, client, token, ca_file, hardware_id, force, patience)
        except OSError as error:
            raise state.trouble(error) from None


def _enroll(
    state: State, client: Client, token: str, ca_file: str | None, hardware_id: str | None, force: bool, patience: float
) -> Identity:
    before = _previous(state, force)
    key = _pending_key(state, before)
    body = _request(token, key, hardware_id)
    answer = _ask(client, body, patience)
    after = _identity(answer, client.url, ca_file, key)
    if before is not None and before.workspace_id != after.workspace_id:
        # What was observed for one workspace is none of the other's business.
        state.forget()
    identity.save(state, after)
    state.enrolling_key.unlink(missing_ok=True)
    return after


def _previous(state: State, force: bool) -> Identity | None:
    try:
        before = identity.load(state)
    except AgentError:
        if not force:
            raise
        return None
    if before is not None and not force:
        raise AgentError(
            f"Already enrolled as agent {before.agent_id} of workspace {before.workspace_id}: "
            "with --force this machine gets a new identity."
        )
    return before


def _pending_key(state: State, before: Identity | None) -> AgentKey:
    """The key of an enrollment that was interrupted, or a new one."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        pending = AgentKey.from_text(state.enrolling_key.read_text())
        if before is None or pending.public != before.key.public:
            return pending
    key = AgentKey.generate()
    files.write(state.enrolling_key, key.to_text().encode())
    return key


def _request(token: str, key: AgentKey, hardware_id: str | None) -> bytes:
    machine = hardware.hardware_id() if hardware_id is None else hardware_id
    request = {
        "token": token,
        "publicKey": key.public,
        "hostname": hostname(),
        "operatingSystem": operating_system(),
        "agentVersion": __version__,
        **({"hardwareId": machine} if machine else {}),
    }
    return json.dumps(request).encode()


def _ask(client: Client, body: bytes, patience: float) -> Answer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"enroll-{hashlib.sha256(body).hexdigest()}"}
    give_up_at = time.monotonic() + patience
    backoff = Backoff()
    while True:
        try:
            return _ask_once(client, headers, body)
        except Later as trouble:
            seconds = backoff.after_failure(trouble.retry_after)
            if time.monotonic() + seconds > give_up_at:
                raise AgentError(f"Enrolling failed: {trouble}. Run the same command again.") from None
            log.warning("%s; trying again in %.0f s", trouble, seconds)
            time.sleep(seconds)


def _ask_once(client: Client, headers: dict[str, str], body: bytes) -> Answer:
    try:
        answer = client.request("POST", "/api/v1/edge-agent/enroll", headers=headers, body=body)
    except Unreachable as error:
        raise Later(str(error)) from None
    if answer.status == 201:
        return answer
    if answer.status == 401 and answer.is_problem:
        raise AgentError(f"The platform refuses the token: it is unknown, expired or used up ({answer.describe()}).")
    if answer.status == 409 or answer.status == 429 or answer.status >= 500:
        raise Later(f"the platform cannot do it now ({answer.describe()})", retry_after=retry_after(answer))
    if answer.is_problem and answer.status != 404:
        raise AgentError(f"The platform refuses to enroll this machine ({answer.describe()}).")
    raise AgentError(f"At {client.url} there is no platform to enroll with ({answer.describe()}): is the URL right?")


def _identity(answer: Answer, url: urls.Url, ca_file: str | None, key: AgentKey) -> Identity:
    document = answer.document()
    names = ("agentId", "workspaceId", "clientId", "enrolledAt")
    values = [document.get(name) for name in names]
    site_id = document.get("siteId")
    if not all(isinstance(value, str) and value.isprintable() and value for value in values):
        raise AgentError(f"At {url} there is no platform to enroll with (its answer says nothing): is the URL right?")
    agent_id, workspace_id, client_id, enrolled_at = map(str, values)
    return Identity(
        url=str(url),
        agent_id=agent_id,
        workspace_id=workspace_id,
        client_id=client_id,
        site_id=None if site_id is None else str(site_id),
        enrolled_at=enrolled_at,
        ca_file=ca_file,
        serial_number=hardware.read("product_serial"),
        key=key,
    )
