"""triage.correlate and triage.suggest_runbook."""

from datetime import timedelta
from typing import Any

from services.agent_runtime.reasoners import Result
from services.agent_runtime.tests.rows import Row, row, uid
from services.agent_runtime.tests.running import NOW, run
from services.agent_runtime.tests.tickets import ACME, BLUE, CEDAR, new

SITE, OTHER_SITE = uid(60), uid(61)
ASSETS = [
    row("assets", 10, name="FW-01", type="network_device", clientId=ACME, siteId=SITE),
    row("assets", 11, name="SRV-01", type="server", clientId=ACME, siteId=SITE),
    row("assets", 12, name="PRN-01", type="printer", clientId=ACME, siteId=SITE),
    row("assets", 13, name="LT-07", type="laptop", clientId=ACME, siteId=OTHER_SITE),
]
CLIENTS = [row("clients", 1, name="Acme"), row("clients", 2, name="Blue"), row("clients", 3, name="Cedar")]


def alert(number: int, minutes_ago: float, **fields: Any) -> Row:
    given = {"clientId": ACME, "status": "firing", "severity": "high", "source": "edge-agent", "rule": f"rule-{number}",
             "title": f"Alert {number}"}  # fmt: skip
    began = (NOW - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")
    return row("alerts", number, firstSeenAt=began, **{**given, **fields})


def correlate(*alerts: Row, incidents: list[Row] | None = None, **input_: Any) -> Result:
    rows = {"alerts": list(alerts), "assets": ASSETS, "clients": CLIENTS, "incidents": incidents or []}
    return run("triage.correlate", input_, rows)


def groups(result: Result) -> list[list[str]]:
    return [each["alertIds"] for each in result.output["groups"]]


def test_what_falls_at_one_site_at_once_is_one_incident() -> None:
    result = correlate(
        alert(1, 30, assetId=uid(11)),
        alert(2, 31, assetId=uid(10), severity="critical", rule="host-down"),
        alert(3, 28, assetId=uid(12)),
        alert(4, 29, assetId=uid(13)),
    )
    assert groups(result) == [[uid(2), uid(1), uid(3)]]
    assert result.output["alone"] == [uid(4)]
    group = result.output["groups"][0]
    assert group["likelyCauseAlertId"] == uid(2)
    assert group["severity"] == "sev2"
    assert "at the same site" in group["reasons"][0]
    (proposal,) = result.proposals
    assert proposal.action == "create_incident"
    assert proposal.parameters["alertIds"] == [uid(2), uid(1), uid(3)]
    assert proposal.parameters["clientIds"] == [ACME]
    assert proposal.parameters["startedAt"] == "2026-03-18T09:29:00Z"


def test_two_are_a_group_but_no_incident() -> None:
    result = correlate(alert(1, 5, assetId=uid(11)), alert(2, 6, assetId=uid(11)))
    assert groups(result) == [[uid(2), uid(1)]]
    assert result.proposals == ()


def test_far_apart_in_time_is_not_together() -> None:
    assert groups(correlate(*(alert(each, 90 * each, assetId=uid(11)) for each in range(1, 4)))) == []


def test_a_chain_does_not_grow_without_end() -> None:
    result = correlate(*(alert(each, 10 * each, assetId=uid(11), rule="cpu") for each in range(1, 31)))
    assert len(groups(result)) > 1
    assert all(len(group) <= 13 for group in groups(result))


def test_a_mass_silence_gathers_those_that_are_silent() -> None:
    result = correlate(
        alert(1, 40, rule="mass-offline", severity="critical", title="5 of 6 agents of the client went silent at once"),
        *(alert(each, 20 + each, rule="offline", assetId=uid(10 + each)) for each in range(2, 4)),
        alert(9, 40, rule="disk-free"),
    )
    assert {*groups(result)[0]} == {uid(1), uid(2), uid(3)}
    assert result.output["groups"][0]["title"].startswith("5 of 6 agents")


def test_clients_share_an_incident_only_where_many_have_the_same_at_once() -> None:
    two = correlate(alert(1, 5, rule="wan"), alert(2, 5, rule="wan", clientId=BLUE))
    assert groups(two) == []
    three = correlate(
        alert(1, 5, rule="wan"), alert(2, 6, rule="wan", clientId=BLUE), alert(3, 7, rule="wan", clientId=CEDAR)
    )
    assert {*groups(three)[0]} == {uid(1), uid(2), uid(3)}
    assert three.output["groups"][0]["clientIds"] == [ACME, BLUE, CEDAR]
    assert three.output["groups"][0]["severity"] == "sev2"


def test_what_an_incident_has_already_is_not_proposed_again() -> None:
    alerts = [alert(each, 5, assetId=uid(11)) for each in range(1, 4)]
    assert len(correlate(*alerts).proposals) == 1
    known = correlate(*alerts, incidents=[row("incidents", 70, title="x", status="open", alertIds=[uid(2)])])
    assert known.output["groups"][0]["incidentId"] == uid(70)
    assert known.proposals == ()


def test_only_those_asked_for() -> None:
    alerts = [alert(each, 5, assetId=uid(11)) for each in range(1, 4)]
    result = correlate(*alerts, alertIds=[uid(1), uid(2), uid(99)])
    assert groups(result) == [[uid(1), uid(2)]]
    assert result.output["leftOut"] == [uid(99)]


def test_a_clock_that_is_ahead_proposes_no_future() -> None:
    result = correlate(*(alert(each, -30, assetId=uid(11)) for each in range(1, 4)))
    assert result.proposals[0].parameters["startedAt"] == "2026-03-18T10:00:00Z"


def runbook(number: int, title: str, description: str, category: str, *steps: str, **fields: Any) -> Row:
    published = {
        "revision": 1,
        "title": title,
        "description": description,
        "steps": [{"title": step, "instructions": step} for step in steps],
    }
    given = {"status": "published", "requiredRole": "ops_engineer", "category": category, **fields}
    return row("runbooks", number, title=title, published=published, **given)


RUNBOOKS = [
    runbook(50, "Mail does not arrive", "Finds out where a message was stopped.", "Email", "Trace the message",
            "Check SPF, DKIM and DMARC"),
    runbook(51, "Site without internet", "From the alert to a working line.", "Network", "Fail over to mobile",
            "Report to the provider"),
    runbook(52, "Volume out of space", "Makes room without losing anything.", "Server", "See what grew",
            "Extend the volume"),
    runbook(53, "Draft about mail", "mail mail mail", "Email", status="draft"),
]  # fmt: skip


def suggest(ticket: Row, *solved: Row) -> Result:
    rows = {"tickets": [ticket, *solved], "runbooks": RUNBOOKS}
    return run("triage.suggest_runbook", {"ticketId": ticket["id"]}, rows)


def test_a_clear_winner_is_linked() -> None:
    result = suggest(new("Mail to a supplier does not arrive", "SPF check failed", category="Email"))
    assert result.output["clearWinner"]
    assert result.output["suggestions"][0]["title"] == "Mail does not arrive"
    assert {"mail", "arrive"} <= {*result.output["suggestions"][0]["sharedTerms"]}
    (proposal,) = result.proposals
    assert proposal.parameters == {"id": uid(1), "runbookId": uid(50)}


def test_only_published_ones_are_suggested() -> None:
    found = {each["runbookId"] for each in suggest(new("mail", category="Email")).output["suggestions"]}
    assert uid(50) in found
    assert uid(53) not in found


def test_category_alone_is_no_winner() -> None:
    result = suggest(new("Something odd happens", category="Server"))
    assert [each["title"] for each in result.output["suggestions"]] == ["Volume out of space"]
    assert not result.output["clearWinner"]
    assert result.proposals == ()


def test_what_is_linked_or_done_gets_no_link() -> None:
    subject = "Mail to a supplier does not arrive"
    assert suggest(new(subject, category="Email", runbookIds=[uid(50)])).proposals == ()
    assert suggest(new(subject, category="Email", status="closed", resolution="x")).proposals == ()


def test_habit_counts() -> None:
    ticket = new("Site line", category="Network")
    used = [
        row("tickets", 80 + each, subject="x", category="Network", status="closed", runbookIds=[uid(51)])
        for each in range(3)
    ]
    before, after = suggest(ticket).output["suggestions"][0], suggest(ticket, *used).output["suggestions"][0]
    assert after["score"] > before["score"]
    assert any("3 solved tickets" in reason for reason in after["reasons"])
