"""Who is served next, and what becomes of a job whose worker is lost."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True)
class Waiting:
    """A job that may be begun."""

    workspace_id: str
    id: str
    agent: str
    created_at: datetime


@dataclass(frozen=True)
class Running:
    """How many jobs of an agent a workspace has running."""

    workspace_id: str
    agent: str
    count: int


def choose(
    waiting: Sequence[Waiting],
    running: Sequence[Running],
    *,
    free: Mapping[str, int],
    engine_of: Callable[[str], str],
    whose: Callable[[str, str], Hashable],
    most_per_agent: int,
    last_served: Mapping[str, int],
) -> list[Waiting]:
    """Those that are begun of those that wait, in that order. `free`: how many more each engine can run; `engine_of`:
    which engine runs an agent; `whose`: what an agent of a workspace is counted as.

    The workspace that has the least running comes first; among equals the one that was served longest ago
    (`last_served`: a number that grows, by workspace; none: never); among its jobs the oldest. No agent gets more than
    `most_per_agent` running: one that is the same everywhere in all workspaces together, others in each.
    """
    of_workspace, of_agent = Counter[str](), Counter[Hashable]()
    for each in running:
        of_workspace[each.workspace_id] += each.count
        of_agent[whose(each.workspace_id, each.agent)] += each.count
    served = dict(last_served)
    turn = max(served.values(), default=0)
    free_of = Counter(free)
    left = sorted(waiting, key=lambda job: (job.created_at, job.id))
    chosen: list[Waiting] = []
    while True:
        allowed = [
            job
            for job in left
            if of_agent[whose(job.workspace_id, job.agent)] < most_per_agent and free_of[engine_of(job.agent)] > 0
        ]
        if not allowed:
            return chosen
        # The first of equals is the oldest.
        job = min(allowed, key=lambda job: (of_workspace[job.workspace_id], served.get(job.workspace_id, 0)))
        left.remove(job)
        chosen.append(job)
        of_workspace[job.workspace_id] += 1
        of_agent[whose(job.workspace_id, job.agent)] += 1
        free_of[engine_of(job.agent)] -= 1
        turn += 1
        served[job.workspace_id] = turn


def pause_before_next_try(tries: int, chance: float) -> timedelta:
    """How long to wait after so many tries: doubled with each, half of it by `chance` (0 to 1), so that jobs that were
    lost together do not come back together."""
    longest = min(_FIRST_PAUSE * (1 << min(tries - 1, 10)), _LONGEST_PAUSE)
    return longest * (0.5 + chance / 2)
