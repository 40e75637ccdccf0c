"""triage.suggest_runbook: which runbook helps with a ticket. Pure."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import Corpus, counted, likeness, shared, shortened, terms
from services.agent_runtime.reasoners.triage.judgement import MOST_BELIEVED

Row = dict[str, Any]

# What speaks for a runbook beside the likeness of the texts, which is at most 1.
_SAME_CATEGORY, _PER_TAG, _MOST_TAGS = 0.15, 0.05, 0.1
_PER_USE, _MOST_USES = 0.03, 0.15
_CHOSEN_BY_MODEL = 0.3
# Clear is what is like enough, and well ahead of the next.
CLEAR, AHEAD = 0.3, 1.25
# Below that, nothing is said.
_LEAST = 0.08
_MOST = 5
_LONGEST_WHY = 300
_DONE = ("resolved", "closed")


@dataclass(frozen=True)
class Ranked:
    """A runbook that may help: how like the texts are, how well it fits in all (0 to 1), and why."""

    runbook: Row
    likeness: float
    score: float
    shared: list[str]
    reasons: list[str]


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, ticket, runbooks (published), solved (tickets of the same category, with what was linked); `model`
    where one has answered."""
    del input_
    ticket, runbooks = data["ticket"], data["runbooks"]
    found = ranked(ticket, runbooks, data["solved"])
    if (model := data.get("model")) and model["answer"]["runbook"] is not None:
        found = _with_model(model["answer"], found)
    best = found[:_MOST]
    winner = _winner(best)
    output = {
        "ticketId": ticket["id"],
        "number": ticket["number"] or "",
        "clearWinner": winner is not None,
        "suggestions": [
            {
                "runbookId": each.runbook["id"],
                "title": content(each.runbook)["title"],
                "category": each.runbook["category"],
                "score": round(each.score, 3),
                "likeness": round(each.likeness, 3),
                "linked": each.runbook["id"] in (ticket["runbookIds"] or ()),
                "requiredRole": each.runbook["requiredRole"],
                "sharedTerms": each.shared,
                "reasons": each.reasons,
            }
            for each in best
        ],
        "runbooksConsidered": len(runbooks),
    }
    rules = [rule(str(each.runbook["id"]), each.score, why) for each in best for why in each.reasons]
    proposals: tuple[ProposedAction, ...] = ()
    if (
        winner is not None
        and ticket["status"] not in _DONE
        and winner.runbook["id"] not in (ticket["runbookIds"] or ())
    ):
        title = content(winner.runbook)["title"]
        summary = f'Link the runbook "{title}" to {ticket["number"]}: {winner.reasons[0]}'
        parameters = {"id": ticket["id"], "runbookId": winner.runbook["id"]}
        proposals = (ProposedAction("link_runbook", parameters, summary),)
    return Result(output, evidence(rules, tickets=[ticket, *data["solved"]], runbooks=runbooks), proposals)


def ranked(ticket: Row, runbooks: list[Row], solved: list[Row]) -> list[Ranked]:
    """Those that have something to do with the ticket, the best first."""
    corpus = Corpus.of([_terms(each) for each in runbooks])
    wanted = corpus.vector(
        [*terms(ticket["subject"]) * 2, *terms(ticket["description"]), *terms(ticket["category"]) * 2]
    )
    uses = Counter(linked for each in solved if each["id"] != ticket["id"] for linked in each["runbookIds"] or ())
    found = []
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
            found.append(Ranked(runbook, alike, min(1.0, score), common, reasons))
    return _sorted(found)


def _with_model(said: Row, found: list[Ranked]) -> list[Ranked]:
    """One that the model has chosen of those it was shown fits better for that."""
    sure = min(said["confidence"], MOST_BELIEVED)
    place = said["runbook"] - 1
    reason_ = f"A model chose it ({sure:.0%}): {shortened(said['why'], _LONGEST_WHY)}"
    chosen = found[place]
    score = min(1.0, chosen.score + _CHOSEN_BY_MODEL * sure)
    better = replace(chosen, score=score, reasons=[*chosen.reasons, reason_])
    return _sorted([*found[:place], better, *found[place + 1 :]])


def _sorted(found: list[Ranked]) -> list[Ranked]:
    return sorted(found, key=lambda each: (-each.score, str(each.runbook["id"])))


def _winner(found: list[Ranked]) -> Ranked | None:
    """The one that is clear: category and habit alone do not suffice, the texts must have something in common."""
    if not found or found[0].score < CLEAR or found[0].likeness < _LEAST:
        return None
    second = found[1].score if len(found) > 1 else 0.0
    return found[0] if found[0].score >= AHEAD * second else None


def _terms(runbook: Row) -> list[str]:
    said = content(runbook)
    steps = [text for step in said["steps"] or () for text in (step["title"], step["instructions"])]
    return [
        *terms(said["title"]) * 3,
        *terms(runbook["category"]) * 2,
        *terms(said["description"]) * 2,
        *(term for tag in runbook["tags"] or () for term in terms(tag)),
        *(term for text in steps for term in terms(text)),
    ]


def content(runbook: Row) -> Row:
    """What is in force: as published, not as it is being edited."""
    published: Row = runbook["published"] or {"title": "", "description": None, "steps": []}
    return published


def _same(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.casefold() == other.casefold()
