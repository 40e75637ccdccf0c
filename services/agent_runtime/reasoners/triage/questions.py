"""What triage asks a model, where the workspace wants one, and how its answer counts beside the rules. Pure.

A model can choose from what it is shown and say why. What it says becomes a judgement with a confidence, like that of a
rule; whatever is proposed then is proposed by the same code as without a model.
"""

from typing import Any

from services.agent_runtime.reasoners.reasoner import Question
from services.agent_runtime.reasoners.schemas import nullable, record, share, text, word
from services.agent_runtime.reasoners.text import shortened
from services.agent_runtime.reasoners.triage.judgement import PRIORITIES
from services.agent_runtime.reasoners.triage.runbooks import content, ranked
from services.agent_runtime.reasoners.triage.similar import similar_to

Row = dict[str, Any]

_LONGEST = 4000
_LONGEST_RESOLUTION = 500
_MOST_CATEGORIES = 100
_MOST_RUNBOOKS = 15
_CLASSIFY = (
    "Judge one ticket. `category`: the one of the provider's categories that it is about, null where none fits. "
    "`priority`: what follows from how many people are hindered and how much it hurries, not from how it is worded. "
    "`confidence`: how sure you are of both, from 0 to 1. `why`: in a sentence, what in the ticket tells."
)
_SUGGEST_RUNBOOK = (
    "Choose the runbook that would solve the ticket. `runbook`: its number in the list, null where none fits. "
    "`confidence`: how sure you are, from 0 to 1. `why`: in a sentence."
)


def classify(input_: Row, data: Row) -> Question:
    """About a ticket's category and priority."""
    del input_
    ticket = data["ticket"]
    alike = [one.ticket for one in similar_to(ticket, data["solved"])][:3]
    categories = sorted({each["category"] for each in data["solved"] if each["category"]})[:_MOST_CATEGORIES]
    schema = record(
        "How the ticket is judged.",
        category=nullable(word("A category.", *categories)) if categories else {"type": "null"},
        priority=word("The priority.", *PRIORITIES),
        confidence=share("How sure."),
        why=text("What tells.", maxLength=1000),
    )
    material = {
        "ticket": _told(ticket),
        "solved": [
            {
                **_told(each),
                "category": each["category"],
                "priority": each["priority"],
                "resolution": shortened(each["resolution"] or "", _LONGEST_RESOLUTION),
            }
            for each in alike
        ],
    }
    return Question(_CLASSIFY, material, schema)


def suggest_runbook(input_: Row, data: Row) -> Question | None:
    """Which of the runbooks that the rules rank first helps; None where there is none to choose."""
    del input_
    first = ranked(data["ticket"], data["runbooks"], data["solved"])[:_MOST_RUNBOOKS]
    if not first:
        return None
    schema = record(
        "The choice.",
        runbook=nullable({"type": "integer", "minimum": 1, "maximum": len(first)}),
        confidence=share("How sure."),
        why=text("Why.", maxLength=1000),
    )
    runbooks = [
        {
            "number": number,
            "title": content(each.runbook)["title"],
            "description": shortened(content(each.runbook)["description"] or "", _LONGEST_RESOLUTION),
            "category": each.runbook["category"],
        }
        for number, each in enumerate(first, 1)
    ]
    return Question(_SUGGEST_RUNBOOK, {"ticket": _told(data["ticket"]), "runbooks": runbooks}, schema)


def _told(ticket: Row) -> Row:
    """What of a ticket leaves the house: its words, and neither who nor where."""
    return {
        "subject": shortened(ticket["subject"] or "", _LONGEST_RESOLUTION),
        "description": shortened(ticket["description"] or "", _LONGEST),
    }
