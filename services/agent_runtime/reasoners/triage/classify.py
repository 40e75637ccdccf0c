"""triage.classify: what a ticket is about, how urgent it is, and how its like was solved. Pure."""

from statistics import fmean
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import shortened
from services.agent_runtime.reasoners.triage.judgement import (
    PRIORITIES,
    Impact,
    Judgement,
    category_of,
    impact_of,
    is_security_incident,
    priority_of,
    tier_of,
    weighed,
)
from services.agent_runtime.reasoners.triage.similar import Similar, similar_to

Row = dict[str, Any]

# Surer than that, a change is proposed.
SURE = 0.55
# To hold somebody's priority for too high needs more.
SURE_TO_LOWER = 0.75
# As like as that, how it was solved is worth reading.
WORTH_READING = 0.25
_MOST_TOLD = 3
_MOST_TAGS = 50
_RECURS_WITHIN_DAYS = 30
_RECURS = 0.5
_DONE = ("resolved", "closed")


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, ticket, client, contact (or None), contacts, assets (all of the client), alerts (of the ticket),
    solved; `model` where one has answered."""
    del input_
    ticket = data["ticket"]
    similar = similar_to(ticket, data["solved"])
    known = sorted({each["category"] for each in data["solved"] if each["category"]})
    linked = [asset for asset in data["assets"] if asset["id"] in (ticket["assetIds"] or ())]
    impact = impact_of(ticket, linked, data["alerts"], data["contact"])
    category, area = category_of(ticket, similar, known)
    priority = priority_of(ticket, impact, similar)
    if model := data.get("model"):
        category, priority = _with_model(model["answer"], category, priority, is_attack=is_security_incident(ticket))
    tier = tier_of(area, impact, priority, similar)
    tags = _tags(data, impact, similar)
    confidence = fmean((category.confidence, priority.confidence, tier.confidence))
    output = {
        "ticketId": ticket["id"],
        "number": ticket["number"] or "",
        "confidence": round(confidence, 2),
        "category": _told(category, ticket["category"]),
        "priority": _told(priority, ticket["priority"]),
        "tier": _told(tier, ticket["tier"]),
        "tags": tags,
        "impact": {
            "level": impact.level,
            "urgency": impact.urgency,
            "peopleNamed": impact.people,
            "contactsOfClient": len(data["contacts"]),
            "assetsOfClient": len(data["assets"]),
            "services": impact.services,
            "reasons": impact.reasons,
        },
        "similar": [_similar(one) for one in similar],
    }
    rules = [
        rule(name, judged.confidence, reason_)
        for name, judged in (("category", category), ("priority", priority), ("tier", tier))
        for reason_ in judged.reasons
    ]
    looked_at = evidence(
        rules, tickets=[ticket, *data["solved"]], alerts=data["alerts"], assets=linked, contacts=data["contacts"]
    )
    return Result(output, looked_at, tuple(_proposals(ticket, category, priority, tier, tags, similar)))


def _with_model(said: Row, category: Judgement, priority: Judgement, *, is_attack: bool) -> tuple[Judgement, Judgement]:
    """What may be an attack is not talked down."""
    if said["category"] is not None:
        category = weighed(category, said["category"], said["confidence"], said["why"])
    if not is_attack or PRIORITIES.index(said["priority"]) >= PRIORITIES.index("high"):
        priority = weighed(priority, said["priority"], said["confidence"], said["why"])
    return category, priority


def _proposals(
    ticket: Row, category: Judgement, priority: Judgement, tier: Judgement, tags: list[str], similar: list[Similar]
) -> list[ProposedAction]:
    if ticket["status"] in _DONE:
        return []
    changes: Row = {}
    why = []
    if category.value and category.value != ticket["category"] and category.confidence >= SURE:
        changes["category"] = category.value
        why.append(f"category {category.value} ({category.confidence:.0%})")
    if _is_better(priority, ticket):
        changes["priority"] = priority.value
        why.append(f"priority {priority.value} ({priority.confidence:.0%}): {priority.reasons[0]}")
    if tier.value > (ticket["tier"] or 1) and tier.confidence >= SURE:
        changes["tier"] = tier.value
        why.append(f"level {tier.value} ({tier.confidence:.0%})")
    present = ticket["tags"] or []
    if new := [tag for tag in tags if tag not in present][: max(0, _MOST_TAGS - len(present))]:
        changes["tags"] = [*present, *new]
        why.append(f"tags {', '.join(new)}")
    proposals = []
    if changes:
        summary = shortened(f"Set on {ticket['number']}: {'; '.join(why)}", 500)
        proposals.append(ProposedAction("update_ticket", {"id": ticket["id"], **changes}, summary))
    if told := [one for one in similar if one.likeness >= WORTH_READING and one.ticket["resolution"]][:_MOST_TOLD]:
        numbers = ", ".join(str(one.ticket["number"]) for one in told)
        parameters = {"id": ticket["id"], "body": _comment(told), "visibility": "internal"}
        summary = f"Tell the staff how {len(told)} tickets like {ticket['number']} were solved: {numbers}."
        proposals.append(ProposedAction("comment_ticket", parameters, summary))
    return proposals


def _is_better(priority: Judgement, ticket: Row) -> bool:
    """Whether to propose it. What somebody has raised, giving a reason, is not held for too high."""
    current = ticket["priority"]
    if priority.value == current:
        return False
    lowers = current in PRIORITIES and PRIORITIES.index(priority.value) < PRIORITIES.index(str(current))
    if lowers and ticket["escalations"]:
        return False
    return priority.confidence >= (SURE_TO_LOWER if lowers else SURE)


def _tags(data: Row, impact: Impact, similar: list[Similar]) -> list[str]:
    ticket, tags = data["ticket"], []
    if is_security_incident(ticket):
        tags.append("security-incident")
    if impact.level == "wide" and impact.urgency == "high":
        tags.append("outage")
    if data["contact"] and data["contact"]["isImportant"]:
        tags.append("vip")
    if any(_recurs(one, data["now"]) for one in similar):
        tags.append("recurring")
    return tags


def _recurs(one: Similar, now: str) -> bool:
    solved, present = times.instant(one.ticket["resolvedAt"]), times.instant(now)
    if solved is None or present is None or not one.same_client or one.likeness < _RECURS:
        return False
    return (present - solved).days < _RECURS_WITHIN_DAYS


def _comment(told: list[Similar]) -> str:
    lines = [
        f"- {one.ticket['number']} {shortened(one.ticket['subject'], 100)}"
        f"{' (same client)' if one.same_client else ''}, {one.likeness:.0%} alike by {', '.join(one.shared[:4])}: "
        f"{shortened(one.ticket['resolution'], 500)}"
        for one in told
    ]
    return "\n".join(["Tickets like this one, and how they were solved:", *lines])


def _told(judged: Judgement, current: object) -> Row:
    return {
        "value": judged.value,
        "current": current,
        "confidence": round(judged.confidence, 2),
        "reasons": judged.reasons,
    }


def _similar(one: Similar) -> Row:
    return {
        "ticketId": one.ticket["id"],
        "number": one.ticket["number"] or "",
        "subject": one.ticket["subject"] or "",
        "resolution": one.ticket["resolution"] or "",
        "likeness": round(one.likeness, 3),
        "sameClient": one.same_client,
        "sharedTerms": one.shared,
    }
