"""Settings through the front door, and in the service that they are for."""

import pytest

from tests.e2e.test_ticket_story import read_events
from tests.platform import Api, Platform, assert_problem, eventually, new_key

WORKSPACE = "/workspace/settings"
PLATFORM = "/platform/settings"
WORKSPACE_ROLES = ("data_admin", "integration_admin", "msp_admin")
PLATFORM_ROLES = ("platform_admin", "msp_admin")
ALL_ROLES = (
    "msp_admin", "ops_engineer", "automation_operator", "integration_admin", "billing", "data_admin", "viewer",
    "platform_admin", "endpoint_agent", "client_portal",
)  # fmt: skip


def desk(days: int) -> dict[str, object]:
    return {"serviceDesk": {"reopenDays": days}}


@pytest.mark.parametrize("role", ALL_ROLES)
def test_each_role_gets_what_is_its_own(platform: Platform, role: str) -> None:
    with platform.api((role,)) as api:
        for path, roles in ((WORKSPACE, WORKSPACE_ROLES), (PLATFORM, PLATFORM_ROLES)):
            if role in roles:
                assert api.get(path).status_code == 200
            else:
                assert_problem(api.get(path), 403, "role-missing")
                assert_problem(api.put(path, json={}), 403, "role-missing")


def test_settings_begin_with_their_defaults(platform: Platform) -> None:
    with platform.api(("data_admin",)) as api:
        answer = api.get(WORKSPACE)
        assert answer.headers["etag"] == '"0"'
        document = answer.json()
        assert document["settings"]["serviceDesk"]["reopenDays"] == 30
        assert (document["overridden"], document["version"], document["changedAt"]) == ([], 0, None)


def test_each_change_is_a_version_with_who_and_when(platform: Platform) -> None:
    with platform.api(("data_admin",), subject="anna") as api:
        first = api.put(WORKSPACE, json=desk(3)).json()
        assert (first["version"], first["changedBy"]) == (1, "anna")
        assert first["overridden"] == ["serviceDesk.reopenDays"]
        second = api.put(WORKSPACE, json=desk(4))
        assert second.headers["etag"] == '"2"'
        assert api.get(WORKSPACE).json() == second.json()
        assert api.get(WORKSPACE, params={"version": 1}).json() == first
        assert api.get(WORKSPACE, params={"version": 0}).json()["settings"]["serviceDesk"] == {"reopenDays": 30}
        assert_problem(api.get(WORKSPACE, params={"version": 9}), 404, "not-found")
        # What changes nothing is no version, and what is left out returns to its default.
        assert api.put(WORKSPACE, json=desk(4)).json() == second.json()
        assert api.put(WORKSPACE, json={}).json()["settings"]["serviceDesk"] == {"reopenDays": 30}
        with platform.api(("data_admin",)) as other:
            assert other.get(WORKSPACE).json()["version"] == 0


def test_a_stale_change_is_refused_and_a_repeated_one_answered_again(platform: Platform) -> None:
    with platform.api(("data_admin",)) as api:
        key = new_key()
        first = api.put(WORKSPACE, json=desk(3), key=key)
        assert_problem(api.put(WORKSPACE, json=desk(5), headers={"if-match": '"0"'}), 412, "version-stale")
        assert api.put(WORKSPACE, json=desk(5), headers={"if-match": '"1"'}).status_code == 200
        again = api.put(WORKSPACE, json=desk(3), key=key)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        assert api.get(WORKSPACE, headers={"if-none-match": '"2"'}).status_code == 304


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"serviceDesk": {"reopenDays": "3"}}, {"serviceDesk.reopenDays"}),
        ({"serviceDesk": {"reopenDays": 366}}, {"serviceDesk.reopenDays"}),
        ({"serviceDesk": {"reopenDay": 3}, "colour": 1}, {"serviceDesk.reopenDay", "colour"}),
        ({"serviceDesk": 3}, {"serviceDesk"}),
        ({"serviceDesk": {"reopenDays": 3}, "retention": {}}, {"retention"}),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_changes(
    platform: Platform, body: dict[str, object], paths: set[str]
) -> None:
    with platform.api(("data_admin",)) as api:
        problem = assert_problem(api.put(WORKSPACE, json=body), 422, "validation-failed")
        assert {error["path"] for error in problem["errors"]} == paths
        assert api.get(WORKSPACE).json()["version"] == 0


def test_a_setting_of_others_cannot_be_changed_but_sent_along(platform: Platform) -> None:
    with platform.api(("data_admin",)) as owner:
        owner.put(WORKSPACE, json=desk(3))
        with platform.api(("integration_admin",), workspace=owner.workspace) as api:
            problem = assert_problem(api.put(WORKSPACE, json=desk(4)), 403, "setting-not-yours")
            assert [error["path"] for error in problem["errors"]] == ["serviceDesk.reopenDays"]
            assert_problem(api.put(WORKSPACE, json={}), 403, "setting-not-yours")
            assert api.put(WORKSPACE, json=desk(3)).status_code == 200
        assert owner.get(WORKSPACE).json()["version"] == 1


def test_the_platforms_settings_belong_to_no_workspace(platform: Platform) -> None:
    with platform.api(("platform_admin",)) as api:
        days = api.get(PLATFORM).json()["settings"]["retention"]
        changed = api.put(PLATFORM, json={"retention": {**days, "publishedEventDays": 9}}).json()
        with platform.api(("platform_admin",)) as other:
            assert other.get(PLATFORM).json() == changed
        assert_problem(api.get(WORKSPACE), 403, "role-missing")
        assert_problem(api.put(PLATFORM, json={"retention": {"consumedEventDays": 1}}), 422, "validation-failed")
    with platform.api(("data_admin",)) as api:
        assert_problem(api.get(WORKSPACE, headers={"x-workspace-id": "_platform"}), 400, "workspace-malformed")


def reopen(api: Api, ticket: dict[str, object]) -> int:
    return api.patch(f"/tickets/{ticket['id']}", json={"status": "open"}).status_code


def resolved_ticket(api: Api) -> dict[str, object]:
    ticket = api.new_ticket()
    assert api.post(f"/ops/tickets/{ticket['id']}/resolve", json={"resolution": "Done"}).status_code == 200
    return ticket


def test_a_running_service_follows_within_two_seconds_and_one_started_later_too(platform: Platform) -> None:
    with platform.api(("data_admin", "ops_engineer")) as api:
        ticket = resolved_ticket(api)
        assert reopen(api, ticket) == 200
        ticket = resolved_ticket(api)
        api.put(WORKSPACE, json=desk(0))
        eventually(lambda: reopen(api, resolved_ticket(api)) == 409, seconds=2)
        assert_problem(api.patch(f"/tickets/{ticket['id']}", json={"status": "open"}), 409, "reopening-too-late")
        platform.restart("ops")
        eventually(lambda: api.get("/tickets").status_code == 200)
        assert reopen(api, ticket) == 409
        api.put(WORKSPACE, json={})
        eventually(lambda: reopen(api, ticket) == 200, seconds=2)


def test_the_change_is_announced(platform: Platform) -> None:
    with platform.api(("data_admin",)) as api:
        api.put(WORKSPACE, json=desk(7))
        events = eventually(lambda: read_events(platform, "internal.settings.changed", key=api.workspace))
        assert [event["workspaceid"] for event in events] == [api.workspace]
        assert events[0]["data"] == {"version": 1, "changed": ["serviceDesk.reopenDays"]}
