"""What may become of sites and contacts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import IllegalTransition, Invalid
from services.ops.directory.contacts.rules import judge as judge_contact
from services.ops.directory.sites.rules import judge as judge_site

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def contact(status: str = "active", **fields: Any) -> dict[str, Any]:
    return {"client_id": "c-1", "status": status, "is_primary": False, **fields}


def changed(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """The contact after some of its fields were set."""
    after = {**(before or contact()), **fields}
    judge_contact(before, after, NOW)
    return after


@pytest.mark.parametrize(("before", "after"), [("active", "archived"), ("archived", "active")])
def test_a_contact_goes_to_the_archive_and_back(before: str, after: str) -> None:
    assert changed(contact(before), status=after)["status"] == after


def test_a_contact_begins_as_active() -> None:
    assert changed(None)["status"] == "active"
    with pytest.raises(IllegalTransition) as refused:
        changed(None, status="archived")
    assert refused.value.detail == "A new contact cannot be archived; legal: active."


def test_who_is_archived_is_primary_no_longer() -> None:
    assert changed(contact(is_primary=True), status="archived")["is_primary"] is False


def test_who_is_archived_cannot_become_primary() -> None:
    with pytest.raises(Invalid) as refused:
        changed(contact("archived"), is_primary=True)
    assert [error.path for error in refused.value.errors] == ["isPrimary"]


def test_who_comes_back_may_be_primary_at_once() -> None:
    assert changed(contact("archived"), status="active", is_primary=True)["is_primary"] is True


def test_a_contact_stays_with_its_client() -> None:
    with pytest.raises(Invalid) as refused:
        changed(contact(), client_id="c-2")
    assert [error.path for error in refused.value.errors] == ["clientId"]


def test_a_site_stays_with_its_client() -> None:
    judge_site(None, {"client_id": "c-1"}, NOW)
    judge_site({"client_id": "c-1"}, {"client_id": "c-1", "name": "New"}, NOW)
    with pytest.raises(Invalid) as refused:
        judge_site({"client_id": "c-1"}, {"client_id": "c-2"}, NOW)
    assert [error.path for error in refused.value.errors] == ["clientId"]
