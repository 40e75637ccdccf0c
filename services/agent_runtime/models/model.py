"""What a model is to the reasoners' engine: it is asked a question, and answers it or does not."""

from dataclasses import dataclass
from typing import Any, Protocol

from services.agent_runtime.reasoners.reasoner import Question

Json = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """`answer` keeps to the question's schema. `tries`: with how many it was had."""

    model: str
    answer: Json
    tries: int


@dataclass(frozen=True)
class Unanswered:
    """`reason`: a sentence, without anything that was asked or said."""

    model: str
    reason: str
    tries: int


class Model(Protocol):
    async def ask(self, question: Question) -> Answered | Unanswered:
        """Never raises for what the endpoint does."""
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...
