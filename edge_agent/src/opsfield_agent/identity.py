"""Who this agent is: what enrolling gave it, and its key. One file, so that the two can never differ."""

import json
from dataclasses import dataclass, field
from typing import Any

from opsfield_agent import files
from opsfield_agent.errors import AgentError
from opsfield_agent.keys import AgentKey
from opsfield_agent.state import State


@dataclass(frozen=True)
class Identity:
    """An enrolled agent."""

    url: str
    agent_id: str
    workspace_id: str
    client_id: str
    site_id: str | None
    enrolled_at: str
    ca_file: str | None
    # Only root can read it, and root it was who enrolled.
    serial_number: str | None
    key: AgentKey = field(repr=False)


def save(state: State, identity: Identity) -> None:
    """Write it, in place of any other. Raises OSError."""
    document = {
        "url": identity.url,
        "agentId": identity.agent_id,
        "workspaceId": identity.workspace_id,
        "clientId": identity.client_id,
        "siteId": identity.site_id,
        "enrolledAt": identity.enrolled_at,
        "caFile": identity.ca_file,
        "serialNumber": identity.serial_number,
        "privateKey": identity.key.to_text(),
    }
    files.write(state.identity, json.dumps(document, indent=2).encode() + b"\n")


def load(state: State) -> Identity | None:
    """The identity, None when not enrolled. Raises AgentError when it cannot be read."""
    try:
        document: dict[str, Any] = json.loads(state.identity.read_bytes())
        return Identity(
            url=document["url"],
            agent_id=document["agentId"],
            workspace_id=document["workspaceId"],
            client_id=document["clientId"],
            site_id=document["siteId"],
            enrolled_at=document["enrolledAt"],
            ca_file=document["caFile"],
            serial_number=document["serialNumber"],
            key=AgentKey.from_text(document["privateKey"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise state.trouble(error) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AgentError(f"{state.identity} is damaged: enroll again with --force.") from None


def require(state: State) -> Identity:
    """The identity. Raises AgentError when there is none."""
    found = load(state)
    if found is None:
        raise AgentError(f"Not enrolled ({state.identity} is missing): run `opsfield-agent enroll` first.")
    return found
