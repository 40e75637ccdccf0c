"""How a job ends: its row and what is told of it, in one unit of work. The caller holds the row's lock."""

import random
import re
from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import Struct

from kit import contract, json_encoding, structs
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork
from opsfield.agent_runtime.v1.outcomes_pb2 import ExecutionFinished
from opsfield.workflow.v1.executions_pb2 import Proposal
from services.agent_runtime.engines.port import Ending, Failed, Succeeded
from services.agent_runtime.jobs import rules, store
from services.agent_runtime.jobs.store import Job

# With all that stands around it, the event is still small enough for Kafka.
_MOST_BYTES = 800_000
# Not what follows a backslash that is itself written.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_ACTIONS = contract.enum_words(Proposal.DESCRIPTOR.fields_by_name["action"])

log = get_logger(__name__)


@dataclass(frozen=True)
class _Content:
    output: Struct
    evidence: Struct
    proposals: list[Proposal]


async def conclude(work: UnitOfWork, job: Job, outcome: Ending, *, most_tries: int) -> None:
    """What came of a run. What may pass is tried again while it may be, and then is dead."""
    if isinstance(outcome, Succeeded):
        content = _content(outcome)
        if isinstance(content, _Content):
            await _end(work, job, "done", "succeeded", content=content)
            return
        outcome = content
    if not outcome.passes:
        await _end(work, job, "done", "failed", failure=outcome)
    elif outcome.counts and job.tries >= most_tries:
        await _end(work, job, "dead", "failed", failure=outcome)
    else:
        pause = rules.pause_before_next_try(job.tries, random.random())  # noqa: S311 - no secret
        tries = job.tries if outcome.counts else job.tries - 1
        await store.put_back(work, job, tries=tries, run_after=work.now + pause, reason=outcome.detail)
        log.warning("job is tried again", job=job.id, tries=job.tries, reason=outcome.detail, seconds=pause.seconds)


async def lose(work: UnitOfWork, job: Job, *, most_tries: int) -> None:
    """Whoever ran it is gone."""
    lost = Failed("worker_lost", "The worker that ran it was lost.", passes=True)
    await conclude(work, job, lost, most_tries=most_tries)


async def give_up(work: UnitOfWork, job: Job, hindrance: str) -> None:
    """Its time is over, and it could not be begun: `hindrance` says why. Somebody may want to try it later."""
    detail = " ".join(each for each in (job.reason, hindrance) if each)
    await _end(work, job, "dead", "failed", failure=Failed("engine_unreachable", detail))


async def time_out(work: UnitOfWork, job: Job) -> None:
    detail = "It took longer than it may." if job.tries else "Its time was over before it could be begun."
    await _end(work, job, "done", "timed_out", failure=Failed("deadline_exceeded", detail))


async def cancel(work: UnitOfWork, job: Job, reason: str) -> None:
    await _end(work, job, "done", "cancelled", failure=Failed("cancelled_by_caller", reason))


def tell_cancelled(work: UnitOfWork, job: Job) -> None:
    """Of one that was cancelled before it came."""
    work.emit(_finished(job, failure=Failed("cancelled_by_caller", job.reason or "")), key=job.execution_id)


async def _end(
    work: UnitOfWork,
    job: Job,
    state: str,
    outcome: str,
    *,
    content: _Content | None = None,
    failure: Failed | None = None,
) -> None:
    reason = failure.detail if failure else None
    ended = await store.end(work, job, state=state, outcome=outcome, reason=reason)
    work.emit(_finished(ended, content=content, failure=failure), key=job.execution_id)
    log.info("job ended", job=job.id, reasoner=job.full_name, state=state, outcome=outcome, reason=reason)


def _finished(job: Job, *, content: _Content | None = None, failure: Failed | None = None) -> ExecutionFinished:
    assert job.outcome is not None, "it has ended"
    return ExecutionFinished(
        execution_id=job.execution_id,
        attempt=job.attempt,
        outcome=job.outcome.upper(),
        started_at=job.started_at,
        completed_at=job.finished_at,
        tries=job.tries,
        output=content.output if content else None,
        evidence=content.evidence if content else None,
        proposals=content.proposals if content else (),
        failure_code=failure.code.upper() if failure else None,
        failure_detail=failure.detail if failure else None,
    )


def _content(result: Succeeded) -> _Content | Failed:
    """The result as it is told, or why it cannot be."""
    for each in result.proposals:
        if each["action"] not in _ACTIONS:
            return Failed("output_invalid", f"It proposes {each['action']}, which is no action.")
    try:
        content = _Content(
            structs.from_json(result.output), structs.from_json(result.evidence), _proposals(result.proposals)
        )
        size = len(_text(content))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Failed("output_invalid", f"The result cannot be told: {error}.")
    if size > _MOST_BYTES:
        return Failed("output_invalid", f"The result is too long: {size} bytes are more than {_MOST_BYTES}.")
    return content


def _proposals(proposals: tuple[dict[str, Any], ...]) -> list[Proposal]:
    return [
        Proposal(
            action=each["action"].upper(),
            parameters=structs.from_json(each["parameters"]),
            summary=each["summary"],
            state=Proposal.PROPOSED,
        )
        for each in proposals
    ]


def _text(content: _Content) -> bytes:
    """As it stands in the event. Raises ValueError for what the outbox cannot hold."""
    message = ExecutionFinished(output=content.output, evidence=content.evidence, proposals=content.proposals)
    text = json_encoding.encode(message)
    if _NUL.search(text):
        raise ValueError("it holds the character NUL")
    return text
