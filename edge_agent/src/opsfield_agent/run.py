"""The agent at work: collects, spools and sends until it is told to stop."""

import logging
import signal
import threading

from opsfield_agent import __version__, identity, settings, urls
from opsfield_agent.api import Api
from opsfield_agent.client import Client
from opsfield_agent.collection import Collection
from opsfield_agent.credentials import Credentials
from opsfield_agent.errors import AgentError
from opsfield_agent.identity import Identity
from opsfield_agent.inventory import inventory
from opsfield_agent.policy import PolicyStore
from opsfield_agent.progress import ProgressFile
from opsfield_agent.sender import Sender
from opsfield_agent.spool import Spool
from opsfield_agent.state import State

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A request that is under way may end in this time; together they leave room in the 5 s that stopping may take.
_SENDING_ENDS_SECONDS = 2.0
_THREAD_ENDS_SECONDS = 1.0
# Threads need little; the default would reserve 8 MiB of address space for each.
_STACK_BYTES = 512 * 1024


def run(state: State, *, ca_file: str | None, most_spool_bytes: int = settings.MOST_SPOOL_BYTES) -> None:
    """Work until SIGTERM or SIGINT. Raises AgentError when it cannot begin."""
    identity.require(state)
    state.prepare()
    with state.hold():
        who = identity.require(state)
        log.info("Agent %s of workspace %s begins, version %s", who.agent_id, who.workspace_id, __version__)
        threading.stack_size(_STACK_BYTES)
        client = Client(_url(who), ca_file or who.ca_file)
        # Blocked in all threads and waited for in one: a handler can miss a signal that another thread received.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        _work(state, who, client, most_spool_bytes)


def _work(state: State, who: Identity, client: Client, most_spool_bytes: int) -> None:
    progress = ProgressFile(state.progress)
    policies = PolicyStore(state.policy)
    policies.load()
    try:
        spool = Spool(
            state.spool,
            state.rejected,
            most_bytes=most_spool_bytes,
            most_seconds=settings.MOST_SPOOL_SECONDS,
            dropped=progress.dropped,
        )
    except OSError as error:
        raise state.trouble(error) from None
    api = Api(client, who, Credentials(client, who))
    sender = Sender(api, spool, policies, progress)
    collection = Collection(
        lambda: policies.current,
        spool,
        lambda: inventory(api.local_address, who.serial_number),
        refused=sender.refused,
        spooled=sender.wake,
    )
    collecting = threading.Thread(target=collection.run, name="collection", daemon=True)
    sending = threading.Thread(target=sender.run, name="sender", daemon=True)
    collecting.start()
    sending.start()
    signal.sigwait(_STOP_SIGNALS)

    log.info("The agent ends")
    collection.stop()
    sender.stop()
    collecting.join(_THREAD_ENDS_SECONDS)
    if not sender.refused.is_set():
        collection.write_batch()
    sending.join(_SENDING_ENDS_SECONDS)
    client.stop()
    sending.join(_THREAD_ENDS_SECONDS)


def _url(who: Identity) -> urls.Url:
    try:
        return urls.parse(who.url)
    except ValueError as error:
        raise AgentError(f"The identity's URL {who.url} is not one: {error}. Enroll again with --force.") from None
