"""assets.health."""

from datetime import date
from typing import Any

import pytest

from services.agent_runtime.reasoners import Result
from services.agent_runtime.reasoners.assets.operating_systems import support_ends
from services.agent_runtime.tests.rows import Row, row, uid
from services.agent_runtime.tests.running import run


def asset(index: int = 1, /, **fields: Any) -> Row:
    given = {"clientId": uid(1), "status": "online", "lifecycle": "deployed", "type": "laptop", "name": f"LT-{index}",
             "lastSeenAt": "2026-03-18T09:00:00Z", "operatingSystem": "Windows 11 Pro", **fields}  # fmt: skip
    return row("assets", index, **given)


def health(*assets: Row, **rows: list[Row]) -> Result:
    return run("assets.health", {}, {"assets": list(assets), **rows})


def faults(result: Result) -> dict[str, int]:
    return {each["rule"]: each["points"] for each in result.output["assets"][0]["faults"]}


def test_one_that_is_well_has_all_points() -> None:
    told = health(asset()).output["assets"][0]
    assert (told["score"], told["band"], told["faults"]) == (100, "good", [])


@pytest.mark.parametrize(
    ("fields", "rule", "points"),
    [
        ({"status": "offline"}, "status", 25),
        ({"status": "degraded"}, "status", 15),
        ({"warrantyExpiresOn": "2026-03-17"}, "warranty ended", 10),
        ({"warrantyExpiresOn": "2026-04-17"}, "warranty ends", 5),
        ({"purchaseDate": "2021-03-01"}, "age", 15),
        ({"purchaseDate": "2022-11-01"}, "age", 7),
        ({"operatingSystem": "Windows 10 Pro 22H2"}, "unsupported system", 25),
        ({"operatingSystem": "Debian GNU/Linux 11 (bullseye)"}, "support ends", 8),
    ],
)
def test_what_is_wrong_costs(fields: dict[str, Any], rule: str, points: int) -> None:
    result = health(asset(**fields))
    assert faults(result) == {rule: points}
    assert result.output["assets"][0]["score"] == 100 - points


@pytest.mark.parametrize(("seen", "points"), [("2026-03-01", 8), ("2026-01-01", 15)])
def test_silence_costs_more_the_longer_it_lasts(seen: str, points: int) -> None:
    found = faults(health(asset(status="offline", lastSeenAt=f"{seen}T00:00:00Z")))
    assert found == {"status": 25, "unseen": points}


@pytest.mark.parametrize("status", ["online", "degraded"])
def test_one_that_is_reached_was_not_last_seen_long_ago(status: str) -> None:
    assert "unseen" not in faults(health(asset(status=status, lastSeenAt="2026-01-01T00:00:00Z")))


def test_the_last_day_of_a_warranty_still_counts() -> None:
    assert "warranty ended" not in faults(health(asset(warrantyExpiresOn="2026-03-18")))


def test_maintenance_excuses_silence() -> None:
    assert faults(health(asset(status="offline", maintenanceMode=True))) == {}


def test_alerts_and_tickets_count_up_to_a_limit() -> None:
    alerts = [row("alerts", each, severity="critical", rule="disk", title="x", assetId=uid(1), status="firing")
              for each in range(10)]  # fmt: skip
    tickets = [row("tickets", each, subject="x", assetIds=[uid(1)], createdAt="2026-03-01T00:00:00Z")
               for each in range(10)]  # fmt: skip
    old = row("tickets", 99, subject="x", assetIds=[uid(1)], createdAt="2025-03-01T00:00:00Z")
    assert faults(health(asset(), alerts=alerts, tickets=[*tickets, old])) == {"critical alerts": 40, "tickets": 16}
    assert faults(health(asset(), tickets=[old])) == {}


def test_the_worst_first_and_those_out_of_use_not_at_all() -> None:
    result = health(asset(1), asset(2, status="offline"), asset(3, lifecycle="retired", status="retired"))
    assert [each["name"] for each in result.output["assets"]] == ["LT-2", "LT-1"]
    assert result.output["outOfUse"] == 1
    assert result.output["counts"] == {"critical": 0, "poor": 0, "fair": 1, "good": 1}


WORN = {"status": "offline", "operatingSystem": "Windows 7", "warrantyExpiresOn": "2020-01-01"}


def test_a_replacement_is_proposed_once_for_what_is_bad_and_out_of_warranty() -> None:
    alert = row("alerts", 5, severity="high", rule="disk", title="x", assetId=uid(1), status="firing")
    result = health(asset(**WORN), alerts=[alert])
    (proposal,) = result.proposals
    assert proposal.action == "create_ticket"
    assert proposal.parameters["alertIds"] == [uid(5)]
    assert "Windows 7" in proposal.parameters["description"]
    asked = row("tickets", 9, subject="x", status="open", createdAt="2026-03-17T00:00:00Z",
                **{name: proposal.parameters[name] for name in ("tags", "description")})  # fmt: skip
    assert health(asset(**WORN), alerts=[alert], tickets=[asked]).proposals == ()
    under_warranty = asset(**{**WORN, "warrantyExpiresOn": "2030-01-01"})
    assert health(under_warranty, alerts=[alert]).proposals == ()


def test_proposals_are_bounded() -> None:
    worn = {**WORN, "purchaseDate": "2015-01-01"}
    assert len(health(*(asset(each, **worn) for each in range(1, 40))).proposals) == 10


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("Microsoft Windows 10 Enterprise LTSC 2021", date(2027, 1, 12)),
        ("Windows 10 Pro", date(2025, 10, 14)),
        ("Microsoft Windows Server 2012 R2 Standard", date(2023, 10, 10)),
        ("Ubuntu 20.04.6 LTS", date(2025, 5, 31)),
        ("VMware ESXi 7.0.3", date(2025, 10, 2)),
        ("Windows 11 Pro", None),
        ("macOS 14", None),
        ("FortiOS 7.4", None),
        (None, None),
    ],
)
def test_until_when_a_system_is_supported(name: str | None, ends: date | None) -> None:
    assert support_ends(name) == ends
