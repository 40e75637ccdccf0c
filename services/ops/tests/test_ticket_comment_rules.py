"""What a comment does to its ticket."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, Invalid
from services.ops.service_desk.ticket_comments.rules import answer, check

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATES = ("new", "open", "in_progress", "waiting_on_client", "waiting_on_vendor", "resolved")


def commented(status: str = "open", *, visibility: str = "public", from_client: bool = False, **fields: Any) -> Any:
    ticket = {"status": status, "first_responded_at": None, "merged_into_id": None, **fields}
    answer(ticket, visibility=visibility, from_client=from_client, now=NOW)
    return ticket


def test_the_clients_word_is_public() -> None:
    check(visibility="public", from_client=True)
    check(visibility="internal", from_client=False)
    with pytest.raises(Invalid) as refused:
        check(visibility="internal", from_client=True)
    assert [error.path for error in refused.value.errors] == ["visibility"]


@pytest.mark.parametrize("status", STATES)
def test_the_clients_word_takes_the_ticket_up_where_it_was_waited_for(status: str) -> None:
    expected = {"waiting_on_client": "in_progress", "resolved": "open"}.get(status, status)
    after = commented(status, from_client=True)
    assert (after["status"], after["first_responded_at"]) == (expected, None)


@pytest.mark.parametrize("status", STATES)
def test_the_staffs_word_changes_no_state(status: str) -> None:
    assert commented(status)["status"] == status


def test_only_the_first_public_word_of_the_staff_is_the_response() -> None:
    assert commented(visibility="internal")["first_responded_at"] is None
    assert commented()["first_responded_at"] == NOW
    earlier = NOW - timedelta(hours=1)
    assert commented(first_responded_at=earlier)["first_responded_at"] == earlier


@pytest.mark.parametrize("from_client", [True, False])
def test_nobody_reads_a_public_word_on_what_is_closed(from_client: bool) -> None:
    with pytest.raises(Conflict) as refused:
        commented("closed", from_client=from_client)
    assert refused.value.code == "ticket-closed"
    assert commented("closed", visibility="internal")["status"] == "closed"


def test_what_was_merged_takes_no_word_at_all() -> None:
    with pytest.raises(Conflict) as refused:
        commented("closed", visibility="internal", merged_into_id="x")
    assert refused.value.code == "ticket-merged"
