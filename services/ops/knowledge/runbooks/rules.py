"""What may happen to a runbook."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.knowledge.publication import Publication

LIFECYCLE = Lifecycle(
    noun="runbook",
    initial=states("draft"),
    moves={
        "draft": states("in_review"),
        "in_review": states("draft published"),
        "published": states("draft deprecated"),
        "deprecated": states("published archived"),
        "archived": states("draft"),
    },
)
PUBLICATION = Publication(content=("title", "description", "steps", "inputs"))

_INPUT_NAME = re.compile(r"[a-z][A-Za-z0-9_]*")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what a runbook may not become; make a published one that is edited a draft. Raises IllegalTransition, and
    Invalid for inputs that cannot be told apart and when there is nothing to publish."""
    del now
    after["steps"] = [{"kind": "manual", **step} for step in after["steps"]]
    after["inputs"] = [{"type": "text", **each} for each in after["inputs"]]
    PUBLICATION.withdraw(before, after)
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    PUBLICATION.forget(before, after)
    wrong = list(_wrong_inputs(after["inputs"]))
    if after["status"] == "published" and not after["steps"]:
        wrong.append(FieldError("steps", "must hold at least one step to be published"))
    if wrong:
        raise Invalid.fields(*wrong)


def publish(runbook: dict[str, Any], by: str, now: datetime) -> None:
    """Note the content as the next revision."""
    runbook["revision"] += 1
    runbook["published"] = {
        "revision": runbook["revision"],
        **PUBLICATION.copy(runbook),
        "published_at": now.isoformat(),
        "published_by": by,
    }


def _wrong_inputs(inputs: list[dict[str, Any]]) -> Iterator[FieldError]:
    seen = set()
    for index, each in enumerate(inputs):
        if not _INPUT_NAME.fullmatch(each["name"]):
            yield FieldError(f"inputs[{index}].name", "must be a lower-case letter, then letters, digits, underscores")
        if each["name"] in seen:
            yield FieldError(f"inputs[{index}].name", "another input has this name already")
        seen.add(each["name"])
