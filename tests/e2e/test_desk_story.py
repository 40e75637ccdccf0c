"""A service desk at work: a promise, an alert that becomes a ticket, an answer, work, an incident."""

from datetime import UTC, datetime, timedelta

from tests.platform import Api, assert_problem

OFFICE = [{"day": day, "opens": "00:00", "closes": "24:00"} for day in ("monday", "tuesday", "wednesday", "thursday",
                                                                       "friday", "saturday", "sunday")]  # fmt: skip


def test_an_alert_becomes_a_ticket_that_is_answered_in_time(api: Api) -> None:
    client = api.new_client(name="Alder & Finch")
    policy = api.post(
        "/sla-policies",
        json={
            "name": "Gold",
            "clientId": client["id"],
            "calendar": {"timeZone": "Europe/Dublin", "windows": OFFICE, "holidays": [{"date": "2031-12-25"}]},
            "targets": [{"priority": "critical", "firstResponseMinutes": 15, "resolutionMinutes": 240}],
            "pauseStates": ["waiting_on_client"],
        },
    )
    assert policy.status_code == 201, policy.text
    assert (policy.json()["pauseStates"], policy.json()["warnPercent"]) == (["waiting_on_client"], 80)
    path = f"/sla-policies/{policy.json()['id']}"
    holiday = api.patch(path, json={"calendar": {"holidays": [{"date": "2031-12-26", "name": "St Stephen's Day"}]}})
    assert holiday.json()["calendar"]["holidays"] == [{"date": "2031-12-26", "name": "St Stephen's Day"}]
    assert holiday.json()["calendar"]["timeZone"] == "Europe/Dublin"
    wrong = {"calendar": {"windows": [{"day": "monday", "opens": "09:00", "closes": "08:00"}]}}
    problem = assert_problem(api.patch(path, json=wrong), 422, "validation-failed")
    assert problem["errors"][0]["path"] == "calendar.windows[0].closes"

    body = {"source": "uptime", "title": "Mail is down", "clientId": client["id"], "severity": "critical"}
    body["labels"] = [{"name": "host", "value": "mail-1"}]
    alert = api.post("/alerts", json=body).json()
    again = api.post("/alerts", json=body).json()
    assert (again["id"], again["occurrenceCount"], again["status"]) == (alert["id"], 2, "firing")
    linked = api.post(f"/ops/alerts/{alert['id']}/link-ticket", json={}).json()
    ticket_path = f"/tickets/{linked['ticketId']}"

    ticket = api.get(ticket_path).json()
    assert (ticket["priority"], ticket["source"], ticket["alertIds"]) == ("critical", "alert", [alert["id"]])
    created, due = (datetime.fromisoformat(ticket[each]) for each in ("createdAt", "resolutionDueAt"))
    assert due - created == timedelta(minutes=240)
    assert ticket["sla"]["firstResponse"]["state"] == "running"

    comment = api.post(f"{ticket_path}/comments", json={"body": "We are at it.", "visibility": "public"})
    assert comment.status_code == 201, comment.text
    assert (comment.json()["author"], comment.json()["ticketId"]) == (api.get(ticket_path).json()["createdBy"],
                                                                       ticket["id"])  # fmt: skip
    listed = api.get(f"{ticket_path}/comments", params={"visibility": "public"}).json()
    assert [each["body"] for each in listed["data"]] == ["We are at it."]
    assert listed["filters"] == {"visibility": "public"}

    api.patch(ticket_path, json={"status": "in_progress"})
    api.patch(ticket_path, json={"status": "waiting_on_client"})
    told = api.get(f"{ticket_path}/sla").json()
    assert (told["sla"]["firstResponse"]["state"], told["sla"]["resolution"]["state"]) == ("met", "paused")
    assert [each["runs"] for each in told["intervals"]] == [True, True, False]

    began = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    entry = api.post("/time-entries", json={"ticketId": ticket["id"], "minutes": 25, "startedAt": began})
    assert entry.status_code == 201, entry.text
    assert api.get(ticket_path).json()["billableMinutes"] == 25

    incident = api.post("/incidents", json={"title": "Mail is down", "alertIds": [alert["id"]]}).json()
    incident_path = f"/incidents/{incident['id']}"
    api.post(f"/ops{incident_path}/timeline", json={"note": "The relay is unplugged."})
    assert_problem(api.patch(incident_path, json={"status": "resolved"}), 409, "alerts-open")
    assert api.post(f"/ops/alerts/{alert['id']}/resolve", json={}).json()["status"] == "resolved"
    resolved = api.patch(incident_path, json={"status": "resolved"}).json()
    assert [each["status"] for each in resolved["timeline"]] == ["open", None, "resolved"]

    put = api.put(ticket_path, json={**api.get(ticket_path).json(), "subject": "Mail was down"})
    assert put.status_code == 200, put.text
    assert put.json()["slaPolicyId"] == policy.json()["id"]
