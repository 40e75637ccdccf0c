"""triage.suggest_runbook: which runbook helps with a ticket. Pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import Corpus, counted, likeness, shared, terms

Row = dict[str, Any]

# What speaks for a runbook beside the likeness of the texts, which is at most 1.
_SAME_CATEGORY, _PER_TAG, _MOST_TAGS = 0.15, 0.05, 0.1
_PER_USE, _MOST_USES = 0.03, 0.15
# Clear is what is like enough, and well ahead of the next.
CLEAR, AHEAD = 0.3, 1.25
# Below that, nothing is said.
_LEAST = 0.08
_MOST = 5
_DONE = ("resolved", "closed")


@dataclass(frozen=True)
class _Ranked:
    runbook: Row
    likeness: float
    score: float
    shared: list[str]
    reasons: list[str]


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, ticket, runbooks (published), solved (tickets of the same category, with what was linked)."""
    del input_
    ticket, runbooks = data["ticket"], data["runbooks"]
    ranked = _ranked(ticket, runbooks, data["solved"])
    winner = _winner(ranked)
    output = {
        "ticketId": ticket["id"],
        "number": ticket["number"] or "",
        "clearWinner": winner is not None,
        "suggestions": [
            {
                "runbookId": each.runbook["id"],
                "title": _content(each.runbook)["title"],
                "category": each.runbook["category"],
                "score": round(each.score, 3),
                "likeness": round(each.likeness, 3),
                "linked": each.runbook["id"] in (ticket["runbookIds"] or ()),
                "requiredRole": each.runbook["requiredRole"],
                "sharedTerms": each.shared,
                "reasons": each.reasons,
            }
            for each in ranked
        ],
        "runbooksConsidered": len(runbooks),
    }
    rules = [rule(str(each.runbook["id"]), each.score, why) for each in ranked for why in each.reasons]
    proposals: tuple[ProposedAction, ...] = ()
    if (
        winner is not None
        and ticket["status"] not in _DONE
        and winner.runbook["id"] not in (ticket["runbookIds"] or ())
    ):
        title = _content(winner.runbook)["title"]
        summary = f'Link the runbook "{title}" to {ticket["number"]}: {winner.reasons[0]}'
        parameters = {"id": ticket["id"], "runbookId": winner.runbook["id"]}
        proposals = (ProposedAction("link_runbook", parameters, summary),)
    return Result(output, evidence(rules, tickets=[ticket, *data["solved"]], runbooks=runbooks), proposals)


def _ranked(ticket: Row, runbooks: list[Row], solved: list[Row]) -> list[_Ranked]:
    corpus = Corpus.of([_terms(each) for each in runbooks])
    wanted = corpus.vector(
        [*terms(ticket["subject"]) * 2, *terms(ticket["description"]), *terms(ticket["category"]) * 2]
    )
    uses = Counter(linked for each in solved if each["id"] != ticket["id"] for linked in each["runbookIds"] or ())
    ranked = []
    for runbook, vector in zip(runbooks, corpus.vectors, strict=True):
        alike, common = likeness(wanted, vector), shared(wanted, vector)
        score, reasons = alike, [f"Both speak of {', '.join(common)}."] if common else []
        if _same(runbook["category"], ticket["category"]):
            score += _SAME_CATEGORY
            reasons.append(f"Its category is the ticket's: {ticket['category']}.")
        if tags := sorted({*(runbook["tags"] or ())} & {*(ticket["tags"] or ())}):
            score += min(_MOST_TAGS, _PER_TAG * len(tags))
            reasons.append(f"It has the ticket's tags {', '.join(tags)}.")
        if used := uses[runbook["id"]]:
            score += min(_MOST_USES, _PER_USE * used)
            reasons.append(f"It was linked to {counted(used, 'solved ticket')} of this category.")
        if score >= _LEAST:
            ranked.append(_Ranked(runbook, alike, min(1.0, score), common, reasons))
    return sorted(ranked, key=lambda each: (-each.score, str(each.runbook["id"])))[:_MOST]


def _winner(ranked: list[_Ranked]) -> _Ranked | None:
    """The one that is clear: category and habit alone do not suffice, the texts must have something in common."""
    if not ranked or ranked[0].score < CLEAR or ranked[0].likeness < _LEAST:
        return None
    second = ranked[1].score if len(ranked) > 1 else 0.0
    return ranked[0] if ranked[0].score >= AHEAD * second else None


def _terms(runbook: Row) -> list[str]:
    content = _content(runbook)
    steps = [text for step in content["steps"] or () for text in (step["title"], step["instructions"])]
    return [
        *terms(content["title"]) * 3,
        *terms(runbook["category"]) * 2,
        *terms(content["description"]) * 2,
        *(term for tag in runbook["tags"] or () for term in terms(tag)),
        *(term for text in steps for term in terms(text)),
    ]


def _content(runbook: Row) -> Row:
    """What is in force: as published, not as it is being edited."""
    content: Row = runbook["published"] or {"title": "", "description": None, "steps": []}
    return content


def _same(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.casefold() == other.casefold()
