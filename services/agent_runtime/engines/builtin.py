"""The engine that is built in: it gathers in the service and reasons in worker processes."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace

from kit.errors import NotFound, Problem
from kit.logs import get_logger
from services.agent_runtime.engines.port import Agent, Failed, Json, Outcome, Succeeded, Task
from services.agent_runtime.models.model import Answered, Model, Unanswered
from services.agent_runtime.reasoners.reasoner import OpsReader, Reasoner
from services.agent_runtime.workers import frames
from services.agent_runtime.workers.pool import WorkerPool
from services.agent_runtime.workers.process import OutOfMemory, WorkerLost
from services.agent_runtime.workers.worker import one_line

log = get_logger(__name__)


class BuiltinEngine:
    """Its `reasoners` by their full names, the same for all workspaces. `reader` makes what `gather` reads with.
    `model` is asked on behalf of workspaces that want it (`wants_model`, by their id)."""

    name = "builtin"
    version = "1"
    is_per_workspace = False

    def __init__(
        self,
        reasoners: Mapping[str, Reasoner],
        pool: WorkerPool,
        reader: Callable[[Task], OpsReader],
        *,
        model: Model | None = None,
        wants_model: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._reasoners = reasoners
        self._of_agent: dict[str, list[Reasoner]] = defaultdict(list)
        for name in sorted(reasoners):
            self._of_agent[reasoners[name].agent].append(reasoners[name])
        self._pool = pool
        self._reader = reader
        self._model = model
        self._wants_model = wants_model

    @property
    def names(self) -> Collection[str]:
        """Of its agents."""
        return self._of_agent.keys()

    @property
    def slots(self) -> int:
        return self._pool.size

    @property
    def workers(self) -> int:
        return self._pool.workers

    @property
    def busy(self) -> int:
        return self._pool.busy

    def has(self, agent: str) -> bool:
        return agent in self._of_agent

    def hindrance(self, workspace_id: str, agent: str) -> str | None:
        del workspace_id, agent
        return None

    async def find(self, workspace_id: str, agent: str, reasoner: str) -> Reasoner | None:
        del workspace_id
        return self._reasoners.get(f"{agent}.{reasoner}")

    async def agents(self, workspace_id: str) -> Sequence[Agent]:
        del workspace_id
        reachable = self._pool.workers > 0
        return [Agent(name, self.name, self.version, reachable, has) for name, has in self._of_agent.items()]

    async def serve(self) -> None:
        try:
            await self._pool.serve()
        finally:
            if self._model is not None:
                await self._model.close()

    async def run(self, task: Task) -> Outcome:
        """Cancelled, its worker is gone by the time this returns."""
        gathered = await self._gather(task)
        if isinstance(gathered, Failed):
            return gathered
        try:
            said = await self._ask_model(task, gathered)
        except Problem as problem:
            return Failed("data_unavailable", problem.detail, passes=problem.retry_after is not None)
        except Exception as error:
            log.error("reasoner failed to ask a model", reasoner=task.reasoner.full_name, exc_info=error)
            return Failed("reasoner_error", one_line(error))
        if isinstance(said, Answered):
            gathered |= {"model": {"name": said.model, "answer": said.answer}}
        outcome = await self._reason(task, gathered)
        if said is not None and isinstance(outcome, Succeeded):
            return replace(outcome, evidence={**outcome.evidence, "model": asdict(said)})
        return outcome

    async def _ask_model(self, task: Task, data: Json) -> Answered | Unanswered | None:
        """None where nobody is asked: there is no model, the workspace does not want one, the reasoner has no
        question."""
        ask = self._reasoners[task.reasoner.full_name].question
        if self._model is None or ask is None or not await self._wants_model(task.workspace_id):
            return None
        question = ask(task.input, data)
        return await self._model.ask(question) if question is not None else None

    async def _gather(self, task: Task) -> Json | Failed:
        reasoner = self._reasoners[task.reasoner.full_name]
        if reasoner.gather is None:
            return {}
        try:
            return await reasoner.gather(self._reader(task), task.input)
        except NotFound as problem:
            return Failed("data_unavailable", problem.detail)
        except Problem as problem:
            return Failed("data_unavailable", problem.detail, passes=problem.retry_after is not None)
        except Exception as error:
            log.error("reasoner failed to gather", reasoner=task.reasoner.full_name, exc_info=error)
            return Failed("reasoner_error", one_line(error))

    async def _reason(self, task: Task, data: Json) -> Outcome:
        name = task.reasoner.full_name
        try:
            answer = await self._pool.ask({"reasoner": name, "input": task.input, "data": data})
        except OutOfMemory:
            return Failed("out_of_memory", "It used more memory than a reasoner may.")
        except WorkerLost as error:
            return Failed("worker_lost", f"The worker that ran it was lost: {error}.", passes=True)
        except frames.TooLong as error:
            return Failed("output_invalid", f"The result is too long: {error}.")
        except (ValueError, TypeError) as error:
            return Failed("reasoner_error", f"What it gathered is no JSON: {one_line(error)}")
        if "failure" in answer:
            if "trace" in answer:
                log.error("reasoner raised an error", reasoner=name, trace=answer["trace"])
            return Failed(answer["failure"], answer["detail"])
        return Succeeded(answer["output"], answer["evidence"], tuple(answer["proposals"]))
