"""What is open and how it went, at a glance, as the console and the workbench ask for it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.platform import Platform, assert_problem, eventually

PATHS = ("/dashboard/summary", "/ops/summary")


def test_a_glance_at_a_workspace(platform: Platform) -> None:
    with platform.api() as api:
        ticket = api.new_ticket(priority="high")
        today = ticket["createdAt"][:10]
        start, end = f"{today}T00:00:00Z", f"{today}T23:59:59.999999+00:00"
        found = api.get("/dashboard/summary", params={"from": start, "to": end}).json()
        assert found["range"] == {"from": start, "to": f"{today}T23:59:59.999999Z"}
        assert {"priority": "high", "count": 1} in found["tickets"]["openByPriority"]
        assert found["tickets"]["openByAge"] == {"under1Day": 1, "days1To3": 0, "days3To7": 0, "over7Days": 0}
        assert found["tickets"]["byDay"] == [{"date": today, "created": 1, "resolved": 0}]
        assert found["tickets"]["meanSecondsToResolve"] is None
        assert found["sla"]["atRisk"] == {"firstResponse": 0, "resolution": 0, "tickets": 0}
        assert found["fleet"] == {
            "agents": 0,
            "online": 0,
            "offline": 0,
            "pending": 0,
            "conditions": 0,
            "batches": 0,
            "eventsAccepted": 0,
            "eventsRejected": 0,
            "eventsPerSecond": 0,
        }
        assert found["unavailable"] == []
        assert api.get("/ops/summary").json()["billing"] is None
        workspace = api.workspace
    with platform.api(("viewer", "billing"), workspace=workspace) as api:
        assert api.get("/ops/summary").json()["billing"]["contractsEnding"] == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_range_is_checked(platform: Platform, path: str) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=367)).isoformat()
    with platform.api() as api:
        for asked, place in (
            ({"from": long_ago}, "from"),
            ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
            ({"from": "yesterday"}, "from"),
            ({"to": "2026-01-01"}, "to"),
            ({"rangeFrom": "2026-01-01T00:00:00Z"}, "rangeFrom"),
        ):
            problem = assert_problem(api.get(path, params=asked), 422, "validation-failed")
            assert [error["path"] for error in problem["errors"]] == [place]


def test_a_part_whose_service_is_gone_is_left_out_until_it_is_back(platform: Platform) -> None:
    with platform.api() as api:
        platform.kill("telemetry")
        try:
            found = api.get("/dashboard/summary").json()
            assert (found["fleet"], found["unavailable"]) == (None, ["telemetry"])
            assert found["tickets"]["open"] == 0
        finally:
            platform.start("telemetry")
        assert eventually(lambda: not api.get("/dashboard/summary").json()["unavailable"])
