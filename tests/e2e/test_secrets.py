"""Secrets: set by the right people, used by the right services, read back by nobody."""

import asyncio
from typing import Any

import pytest

from kit.errors import Forbidden, NotFound
from tests.databases import rows
from tests.e2e.test_settings import ALL_ROLES
from tests.platform import Api, Platform, assert_problem, eventually, new_key
from tests.service_identity import as_service, secret_value

WORKSPACE = "/workspace/secrets"
PLATFORM = "/platform/secrets"


def listed(api: Api, path: str, key: str) -> dict[str, object]:
    secrets: list[dict[str, object]] = api.get(path, params={"q": key}).json()["data"]
    [found] = [each for each in secrets if each["key"] == key]
    return found


@pytest.mark.parametrize("role", ALL_ROLES)
def test_each_role_gets_what_is_its_own(platform: Platform, role: str) -> None:
    allowed = {WORKSPACE: ("integration_admin", "msp_admin"), PLATFORM: ("platform_admin", "msp_admin")}
    with platform.api((role,)) as api:
        for path, roles in allowed.items():
            if role in roles:
                assert api.get(path).status_code == 200
            else:
                assert_problem(api.get(path), 403, "role-missing")
                assert_problem(api.post(f"{path}/payments.stripe", json={"value": "x"}), 403, "role-missing")


def test_a_secret_is_created_rotated_and_used(platform: Platform) -> None:
    path = f"{WORKSPACE}/payments.stripe"
    with platform.api(("integration_admin",), subject="anna") as api:
        unset = listed(api, WORKSPACE, "payments.stripe")
        assert (unset["version"], unset["fingerprint"], unset["usedBy"]) == (0, None, ["portal"])
        first = api.post(path, json={"value": "sk_1"})
        assert first.status_code == 201
        assert first.headers["etag"] == '"1"'
        assert (first.json()["version"], first.json()["rotatedBy"], first.json()["ageDays"]) == (1, "anna", 0)
        assert "sk_1" not in first.text
        second = api.post(path, json={"value": "sk_2"}).json()
        third = api.post(path, json={"value": "sk_1"}).json()
        assert [second["version"], third["version"]] == [2, 3]
        assert third["fingerprint"] == first.json()["fingerprint"] != second["fingerprint"]
        assert third["createdAt"] == first.json()["createdAt"] < third["rotatedAt"]

        def fetch(name: str) -> object:
            return as_service(platform, name, lambda client: client.fetch_secret(api.workspace, "payments.stripe"))

        fetched = as_service(platform, "portal", lambda client: client.fetch_secret(api.workspace, "payments.stripe"))
        assert (fetched.value, fetched.version, fetched.previous_value) == ("sk_1", 3, "sk_2")
        used = listed(api, WORKSPACE, "payments.stripe")
        assert used["lastUsedBy"] == "portal"
        with pytest.raises(Forbidden):
            fetch("ops")


def test_a_repeated_or_stale_change_is_seen_as_such(platform: Platform) -> None:
    path, key = f"{WORKSPACE}/notifications.noc", new_key()
    with platform.api(("integration_admin",)) as api:
        first = api.post(path, json={"value": "slack://a"}, key=key)
        again = api.post(path, json={"value": "slack://a"}, key=key)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        assert_problem(api.post(path, json={"value": "slack://b"}, key=key), 422, "idempotency-key-reused")
        assert_problem(api.post(path, json={"value": "b"}, headers={"if-match": '"0"'}), 412, "version-stale")
        assert api.post(path, json={"value": "b"}, headers={"if-match": '"1"'}).json()["version"] == 2


@pytest.mark.parametrize(
    ("key", "body", "path"),
    [
        ("no.such", {"value": "x"}, "key"),
        ("notifications.", {"value": "x"}, "key"),
        ("notifications.a b", {"value": "x"}, "key"),
        ("github.webhook", {"value": "x"}, "key"),
        ("payments.stripe", {"value": ""}, "value"),
        ("payments.stripe", {"value": 5}, "value"),
        ("payments.stripe", {"value": "x" * 32769}, "value"),
        ("payments.stripe", {}, "value"),
        ("payments.stripe", {"value": "x", "version": 2}, "version"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(platform: Platform, key: str, body: object, path: str) -> None:
    with platform.api(("integration_admin",)) as api:
        problem = assert_problem(api.post(f"{WORKSPACE}/{key}", json=body), 422, "validation-failed")
        assert [error["path"] for error in problem["errors"]] == [path]
        assert all(each["version"] == 0 for each in api.get(WORKSPACE).json()["data"])


def test_a_list_pages_sorts_and_searches(platform: Platform) -> None:
    with platform.api(("integration_admin",)) as api:
        for name in ("notifications.b", "notifications.a"):
            api.post(f"{WORKSPACE}/{name}", json={"value": name})
        page = api.get(WORKSPACE, params={"sortBy": "key", "sortOrder": "asc", "limit": 2, "offset": 2}).json()
        assert [each["key"] for each in page["data"]] == ["notifications.a", "notifications.b"]
        assert page["page"] == {"limit": 2, "offset": 2, "returned": 2, "total": 6}
        assert api.get(WORKSPACE, params={"q": "QuickBooks"}).json()["page"]["total"] == 1
        assert api.get(WORKSPACE, params={"sortBy": "fingerprint"}).status_code == 422


def test_a_workspaces_secret_never_leaves_it(platform: Platform) -> None:
    with platform.api(("integration_admin",)) as one, platform.api(("integration_admin",)) as other:
        one.post(f"{WORKSPACE}/accounting.xero", json={"value": "same"})
        assert listed(other, WORKSPACE, "accounting.xero")["version"] == 0
        with pytest.raises(NotFound):
            secret_value(platform, "integrations", other.workspace, "accounting.xero")
        # Not even the fingerprint tells that two workspaces have the same one.
        other.post(f"{WORKSPACE}/accounting.xero", json={"value": "same"})
        fingerprints = {listed(api, WORKSPACE, "accounting.xero")["fingerprint"] for api in (one, other)}
        assert len(fingerprints) == 2


def test_a_secret_of_the_platform(platform: Platform) -> None:
    with platform.api(("platform_admin",)) as api:
        before = listed(api, PLATFORM, "github.webhook")["version"]
        set_to = api.post(f"{PLATFORM}/github.webhook", json={"value": "hub"}).json()
        assert set_to["version"] == int(str(before)) + 1
        assert secret_value(platform, "integrations", "_platform", "github.webhook") == "hub"
        with pytest.raises(Forbidden):
            secret_value(platform, "workflow", "_platform", "github.webhook")


def test_what_is_outdated_is_destroyed_and_each_use_recorded(platform: Platform) -> None:
    def of_workspace(query: str) -> list[Any]:
        return rows(platform, "platform", query, api.workspace)

    with platform.api(("integration_admin",), subject="anna") as api:
        for number in range(4):
            api.post(f"{WORKSPACE}/payments.stripe", json={"value": f"v{number}"})
        secret_value(platform, "portal", api.workspace, "payments.stripe")
        kept = of_workspace("SELECT version FROM secret_versions WHERE workspace_id = $1")
        assert sorted(row["version"] for row in kept) == [3, 4]
        # One data key for each, and the one for fingerprints.
        assert len(of_workspace("SELECT FROM data_keys WHERE workspace_id = $1")) == 3
        audited = of_workspace("SELECT * FROM audit_entries WHERE workspace_id = $1 ORDER BY id")
        assert [row["subject"] for row in audited] == ["anna"] * 4 + ["service:portal"]
        assert {row["resource_id"] for row in audited} == {"payments.stripe"}
        assert audited[-1]["operation"].endswith("/FetchSecret")


def test_a_running_service_uses_a_new_version_at_once(platform: Platform) -> None:
    """The reader of the kit, beside the running platform: it fetches once, and again only when it is told to."""

    from kit.announcements import Announcements
    from kit.calls import Services
    from kit.identity import TokenSigner
    from kit.platform_client import PlatformClient
    from kit.secrets import TOPIC, SecretReader

    async def follow(api: Api) -> None:
        signer = TokenSigner.from_file("portal", platform.stack.layout.key("portal"))
        services = Services({"platform": platform.stack.address("platform")}, signer, timeout=10)
        fetches: list[str] = []
        client = PlatformClient(services, "portal")

        async def fetch(workspace: str, key: str) -> object:
            fetches.append(key)
            return await client.fetch_secret(workspace, key)

        announcements = Announcements(bootstrap_servers=platform.stack.kafka_bootstrap, client_id="test")
        reader = SecretReader(fetch, announcements)  # type: ignore[arg-type]
        announcements.listen(TOPIC, reader.hear)
        hearing = asyncio.create_task(announcements.run())
        try:
            while announcements.confirmed_at < 0:
                await asyncio.sleep(0.05)
            assert (await reader.get(api.workspace, "payments.stripe")).value == "one"
            await asyncio.sleep(3)
            for _ in range(100):
                assert (await reader.get(api.workspace, "payments.stripe")).value == "one"
            assert len(fetches) == 1
            await asyncio.to_thread(api.post, f"{WORKSPACE}/payments.stripe", json={"value": "two"})
            async with asyncio.timeout(2):
                while (secret := await reader.get(api.workspace, "payments.stripe")).value != "two":
                    await asyncio.sleep(0.02)
            assert secret.previous == "one"
            assert "two" not in repr(secret)
            assert len(fetches) == 2
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])
            await services.close()

    with platform.api(("integration_admin",)) as api:
        eventually(lambda: api.post(f"{WORKSPACE}/payments.stripe", json={"value": "one"}).status_code == 201)
        asyncio.run(follow(api))
