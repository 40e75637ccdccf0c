"""triage.classify over believable tickets."""

from typing import Any

import pytest

from services.agent_runtime.reasoners import Result
from services.agent_runtime.tests.rows import Row, row, uid
from services.agent_runtime.tests.running import run
from services.agent_runtime.tests.tickets import ACME, CASES, new, solved


def classify(ticket: Row, history: list[Row] | None = None, **rows: list[Row]) -> Result:
    tickets = [ticket, *(solved() if history is None else history)]
    return run("triage.classify", {"ticketId": ticket["id"]}, {"tickets": tickets, **rows})


def change(result: Result) -> dict[str, Any]:
    """What is proposed to be set on the ticket."""
    return next((each.parameters for each in result.proposals if each.action == "update_ticket"), {})


@pytest.mark.parametrize("case", CASES, ids=[case[0][:40] for case in CASES])
def test_a_ticket_is_judged_as_a_dispatcher_would(case: tuple[str, str, str, tuple[str, ...], set[str]]) -> None:
    subject, description, category, priorities, tags = case
    output = classify(new(subject, description)).output
    assert output["category"]["value"] == category
    assert output["priority"]["value"] in priorities
    assert set(output["tags"]) >= tags
    assert output["category"]["reasons"]


def test_how_its_like_was_solved_is_told_to_the_staff_alone() -> None:
    result = classify(new("Outlook asks for the password again", "After the password change"))
    first = result.output["similar"][0]
    assert first["number"] == "T-1000"
    assert "outlook" in first["sharedTerms"]
    comment = next(each for each in result.proposals if each.action == "comment_ticket")
    assert comment.parameters["visibility"] == "internal"
    assert "Removed the stale credential" in comment.parameters["body"]
    assert uid(100) in result.evidence["rows"]["tickets"]["ids"]


def test_a_ticket_of_the_same_client_counts_more() -> None:
    history = solved()
    twin = {**history[0], "id": uid(900), "number": "T-1900", "clientId": uid(3)}
    numbers = [each["number"] for each in classify(new(history[0]["subject"]), [twin, *history]).output["similar"]]
    assert numbers.index("T-1000") < numbers.index("T-1900")


def test_what_is_right_already_is_not_proposed() -> None:
    before = change(classify(new("Internet down, nobody can work", "Whole office")))
    assert before["priority"] == "critical"
    assert before["category"] == "Network"
    right = new("Internet down, nobody can work", "Whole office", priority="critical", category="Network", tier=3,
                tags=["outage"])  # fmt: skip
    assert change(classify(right)) == {}


def test_present_tags_stay() -> None:
    assert change(classify(new("Ransomware on all desktops", "everyone", tags=["vip"])))["tags"][0] == "vip"


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_nothing_is_proposed_on_what_is_done(status: str) -> None:
    assert classify(new("Internet down, nobody can work", status=status, resolution="x")).proposals == ()


def test_what_tells_nothing_changes_nothing() -> None:
    result = classify(new("Hello", None), [])
    assert result.output["category"] == {
        "value": None,
        "current": None,
        "confidence": 0.0,
        "reasons": ["Neither its words nor solved tickets tell what it is about."],
    }
    assert result.output["priority"]["value"] == "medium"
    assert result.proposals == ()


def test_categories_are_those_of_the_provider() -> None:
    history = [{**each, "category": "Messaging"} for each in solved()]
    assert classify(new("Outlook mailbox is full"), history).output["category"]["value"] == "Messaging"
    assert classify(new("Outlook mailbox is full"), []).output["category"]["value"] == "Email"


def test_a_high_priority_is_not_lowered_on_a_hint() -> None:
    hinted = classify(new("Question about Outlook", priority="critical"), [])
    assert hinted.output["priority"]["value"] == "low"
    assert "priority" not in change(hinted)


def test_what_is_surely_too_high_is_lowered_unless_somebody_raised_it() -> None:
    ticket = new(
        "Install the PDF editor", "Licence is in the portal, no hurry, when you have time", priority="critical"
    )
    assert change(classify(ticket))["priority"] == "low"
    raised = [{"reason": "The board asks.", "tier": 2, "priority": "critical", "escalatedBy": "ada"}]
    assert "priority" not in change(classify({**ticket, "escalations": raised}))


def test_alerts_assets_and_important_people_count() -> None:
    plain = classify(new("Strange noise"), [])
    ticket = new("Strange noise", assetIds=[uid(20)], contactId=uid(30))
    result = classify(
        ticket,
        [],
        assets=[row("assets", 20, name="SRV-01", type="server", clientId=ACME, createdAt="2026-01-01T00:00:00Z")],
        contacts=[row("contacts", 30, name="Ada", isImportant=True, clientId=ACME, status="active")],
        alerts=[row("alerts", 40, severity="critical", title="Fan", ticketId=ticket["id"])],
    )
    assert plain.output["priority"]["value"] == "medium"
    assert result.output["priority"]["value"] == "high"
    assert result.output["impact"]["level"] == "several"
    assert result.output["tags"] == ["vip"]
    reasons = " ".join(result.output["priority"]["reasons"])
    assert "SRV-01" in reasons
    assert "Ada" in reasons
