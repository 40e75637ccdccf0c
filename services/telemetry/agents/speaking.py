"""For which agent a caller may speak: an endpoint agent for itself alone, staff for each."""

from kit.errors import FieldError, Forbidden, Invalid
from kit.formats import COMPILED
from kit.identity import Principal
from opsfield.options.v1.field_pb2 import UUID

_STAFF = frozenset({"msp_admin", "ops_engineer", "viewer"})


def is_agent(principal: Principal) -> bool:
    """Whether the caller is an endpoint agent and nothing else."""
    return not principal.has_any(_STAFF)


def agent_of(principal: Principal, named: str | None) -> str | None:
    """The id of the agent that is meant; None when staff names none. Raises Forbidden when an agent names another."""
    if not is_agent(principal):
        return named
    if named is not None and named != principal.agent_id:
        raise Forbidden("An agent speaks for itself only.", code="agent-not-own")
    if principal.agent_id is None or not COMPILED[UUID].match(principal.agent_id):
        raise Forbidden("The token names no agent that there could be.", code="agent-unknown")
    return principal.agent_id


def one_agent_of(principal: Principal, named: str | None) -> str:
    """As `agent_of`; raises Invalid when staff names none."""
    agent_id = agent_of(principal, named)
    if agent_id is None:
        raise Invalid.fields(FieldError("agentId", "is required"))
    return agent_id
