"""What becomes of what a node runs when the node is gone: each try of it is lost, and tried again where it may be."""

from collections.abc import Callable

from kit.unit_of_work import UnitOfWork
from services.agent_runtime.engines.port import Failed
from services.agent_runtime.jobs import callers, endings
from services.agent_runtime.jobs import store as jobs
from services.agent_runtime.nodes import store
from services.agent_runtime.nodes.limits import NodeLimits


class Leaving:
    """`on_commit` is called once something of it is committed."""

    def __init__(self, limits: NodeLimits, *, on_commit: Callable[[], None]) -> None:
        self._limits = limits
        self._on_commit = on_commit

    async def lose(self, work: UnitOfWork, node: str, detail: str, *, not_on: str | None = None) -> int:
        """All tries that the node runs, but those on the instance `not_on`, are lost: how many. `detail`: why."""
        lost = 0
        for lease, job_id in await store.going_on(work, node, not_on=not_on):
            job = await jobs.lock_try(work, job_id, lease)
            if job is not None and await store.end(work, lease, "lost"):
                async with work.part(callers.of_job(job)) as part:
                    failure = Failed("worker_lost", detail, passes=True)
                    await endings.conclude(part, job, failure, most_tries=self._limits.most_tries)
                lost += 1
        if lost:
            work.afterwards(self._on_commit)
        return lost

    async def leave_all_of_key(self, work: UnitOfWork, key_id: str) -> None:
        """The nodes that registered with the key are gone, and what they run with them."""
        for name in await store.lock_of_key(work, key_id):
            await store.leave(work, name, 0)
            await self.lose(work, name, f"The key of the agent {name} was revoked.")
