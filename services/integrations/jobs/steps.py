"""What running a job comes to, step by step."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from kit.unit_of_work import UnitOfWork
from services.integrations.jobs.store import Gain, Job


@dataclass(frozen=True)
class Step:
    """`pieces`: what the artifact gets, each at most 8 MiB; `record`: writes down what else came of it."""

    gain: Gain
    is_last: bool
    pieces: list[bytes] = field(default_factory=list)
    record: Callable[[UnitOfWork, Job], Awaitable[None]] | None = None


class JobFailedError(Exception):
    """The job cannot go on, however often it is tried. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LeaseLostError(Exception):
    """Somebody else holds the job now."""


class Run(Protocol):
    """One job, run by one worker under one lease."""

    async def step(self, job: Job) -> Step:
        """Do the next few rows of the job as it stands. The same again when it is not recorded: what it does elsewhere
        has the same idempotency keys. Raises JobFailedError, LeaseLostError, and Problem where the same may succeed
        later."""
        ...
