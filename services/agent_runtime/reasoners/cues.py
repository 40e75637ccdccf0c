"""Words and phrases that tell something about a ticket, and finding them in it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from services.agent_runtime.reasoners.text import words

# What stands in the subject is what it is about.
_IN_SUBJECT = 2.0


@dataclass(frozen=True)
class Found:
    """A phrase that a ticket has; `weight` is higher where it stands in the subject."""

    phrase: str
    weight: float


def found(cues: Mapping[str, float], subject: object, description: object) -> list[Found]:
    """Which of the cues (phrases with their weights) a ticket has, the weightiest first. A phrase is found as whole
    words; "print*" is any word that begins so. Each counts once."""
    head, body = " ".join(words(subject)), " ".join(words(description))
    hits = []
    for phrase, weight in cues.items():
        pattern = _pattern(phrase)
        if pattern.search(head):
            hits.append(Found(phrase, weight * _IN_SUBJECT))
        elif pattern.search(body):
            hits.append(Found(phrase, weight))
    return sorted(hits, key=lambda hit: (-abs(hit.weight), hit.phrase))


def quoted(hits: list[Found], most: int = 4) -> str:
    """The phrases for a sentence: '"down", "cannot work"'."""
    return ", ".join(f'"{hit.phrase.rstrip("*")}"' for hit in hits[:most])


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)".replace(r"\*", r"\w*"))
