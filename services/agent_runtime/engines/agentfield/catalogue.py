"""The agents that their control plane offers, and their reasoners: what was seen last, and lately."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from kit import structs
from kit.logs import get_logger
from services.agent_runtime.engines.agentfield.client import one_line
from services.agent_runtime.engines.port import Agent, Json
from services.agent_runtime.reasoners.reasoner import Description

NAME = "agentfield"
# A control plane that has just begun knows nobody before they have told it that they are there.
_KEPT_SECONDS = 60.0
_MOST_SCHEMA_BYTES = 64 * 1024
_TRIES = 3
_MOST_BYTES_OF_AGENT = 1024 * 1024
# As names are in the paths of our API. A dot would make two of one.
_WORD = re.compile(r"[A-Za-z0-9_-]{1,100}")

log = get_logger(__name__)


@dataclass(frozen=True)
class _Seen:
    agent: Agent
    at: float


class Catalogue:
    """`taken`: names of agents that are others'. `timeout_seconds`: what a run may take."""

    def __init__(self, taken: Collection[str], *, timeout_seconds: int) -> None:
        self._taken = taken
        self._timeout_seconds = timeout_seconds
        self._seen: dict[str, _Seen] = {}
        self._left_aside: set[str] = set()
        # What they told last, as far as it can be kept.
        self.told: Sequence[Json] = ()
        self._text = b"[]"

    @property
    def agents(self) -> Sequence[Agent]:
        return [each.agent for each in self._seen.values()]

    def has(self, agent: str) -> bool:
        return agent in self._seen

    def find(self, agent: str, reasoner: str) -> Description | None:
        seen = self._seen.get(agent)
        return next((each for each in seen.agent.reasoners if each.name == reasoner), None) if seen else None

    def take(self, capabilities: Sequence[Json], now: float) -> bool:
        """What was discovered at `now` (seconds): whether it is other than before. Those who are no more are kept for a
        minute, out of reach, so that what waits for them does not fail while their control plane starts anew."""
        plain = [each for each in capabilities if self._is_plain(each)]
        found = self._agents(plain)
        for name, agent in found.items():
            self._seen[name] = _Seen(agent, now)
        for name, seen in list(self._seen.items()):
            if name not in found:
                if now - seen.at > _KEPT_SECONDS:
                    del self._seen[name]
                else:
                    self._seen[name] = replace(seen, agent=replace(seen.agent, reachable=False))
        text = orjson.dumps(_lasting(plain), option=orjson.OPT_SORT_KEYS)
        changed, self._text, self.told = text != self._text, text, plain
        return changed

    def _agents(self, capabilities: Sequence[Json]) -> dict[str, Agent]:
        found: dict[str, Agent] = {}
        for each in capabilities:
            name = each.get("agent_id")
            if not isinstance(name, str) or not _WORD.fullmatch(name):
                self._leave_aside(one_line(name), "its name cannot be in a path of ours")
            elif name in self._taken:
                self._leave_aside(name, "a built-in agent has its name")
            else:
                found[name] = _joined(found.get(name), self._agent(name, each))
        return found

    def _agent(self, name: str, told: Json) -> Agent:
        reasoners: dict[str, Description] = {}
        for kind in ("reasoners", "skills"):
            for each in told.get(kind) if isinstance(told.get(kind), list) else ():  # type: ignore[union-attr]
                if isinstance(each, dict) and (described := self._description(name, each)):
                    reasoners.setdefault(described.name, described)
        active = told.get("health_status") == "active"
        return Agent(name, NAME, one_line(told.get("version"), 50), active, list(reasoners.values()))

    def _description(self, agent: str, told: Mapping[str, Any]) -> Description | None:
        name = told.get("id")
        if not isinstance(name, str) or not _WORD.fullmatch(name):
            self._leave_aside(f"{agent}.{one_line(name)}", "its name cannot be in a path of ours")
            return None
        return Description(
            agent,
            name,
            one_line(told.get("description")),
            _schema(told.get("input_schema")),
            _schema(told.get("output_schema")),
            self._timeout_seconds,
            _TRIES,
        )

    def _is_plain(self, told: Json) -> bool:
        """Whether it can be written down. One agent's oddities take no other's away."""
        try:
            fits = len(orjson.dumps(told)) <= _MOST_BYTES_OF_AGENT
        except orjson.JSONEncodeError:
            fits = False
        if not fits:
            self._leave_aside(one_line(told.get("agent_id")), "what it says of itself is too large or too deep")
        return fits

    def _leave_aside(self, name: str, reason: str) -> None:
        if name not in self._left_aside and len(self._left_aside) < 1000:
            self._left_aside.add(name)
            log.warning("AgentField's agent is left aside", agent=name, reason=reason)


def _joined(other: Agent | None, agent: Agent) -> Agent:
    """An agent that runs in two versions at a time is one here: who runs what is theirs to choose."""
    if other is None:
        return agent
    named = {each.name: each for each in (*other.reasoners, *agent.reasoners)}
    return replace(agent, reachable=other.reachable or agent.reachable, reasoners=list(named.values()))


def _schema(told: Any) -> Json:
    """One that says nothing where there is none, or one that is too large or too deep to be handed on."""
    if not isinstance(told, dict) or len(orjson.dumps(told)) > _MOST_SCHEMA_BYTES:
        return {}
    return {} if structs.is_deeper(told, structs.MOST_LEVELS) else told


def _lasting(capabilities: Sequence[Json]) -> list[Json]:
    """Without what differs from one look to the next."""
    return [{name: value for name, value in each.items() if name != "last_heartbeat"} for each in capabilities]
