"""One transaction holds the idempotency key, the change, its events and its audit record."""

import asyncio
import json
from datetime import UTC, datetime

import asyncpg
import pytest

from kit import clock
from kit.errors import Conflict, Forbidden, Invalid
from kit.tests.sample_service import Answer, Sample, a_call, effect, insert_effect
from kit.unit_of_work import UnitOfWork, unit_of_work

NOTHING = (0, 0, 0, 0)
ONCE = (1, 1, 1, 1)


async def test_key_effect_event_and_audit_record_are_there_together(sample: Sample) -> None:
    answer = await sample.mutate(a_call(), effect())
    assert not answer.replayed
    assert await sample.counts() == ONCE
    key = await sample.admin.fetchrow("SELECT * FROM idempotency_keys")
    assert key is not None
    assert (key["workspace_id"], key["principal"], key["key"]) == ("acme", "ada", "key-1")
    assert key["response"] == answer.body


async def test_an_event_waits_in_the_outbox_as_a_cloud_event(sample: Sample) -> None:
    await sample.mutate(a_call(), effect("lamp"))
    row = await sample.admin.fetchrow("SELECT * FROM outbox")
    assert row is not None
    assert (row["topic"], row["key"], row["state"], row["attempts"]) == ("sample.happened", "k-1", "pending", 0)
    event = json.loads(row["payload"])
    assert (event["id"], event["workspaceid"], event["correlationid"]) == (str(row["id"]), "acme", "c-1")
    assert event["data"]["sample"]["name"] == "lamp"


async def test_an_audit_record_says_who_did_what_when(sample: Sample) -> None:
    then = datetime(2026, 1, 2, 12, tzinfo=UTC)
    with clock.at(then):
        await sample.mutate(a_call(method="/Sample/Do"), effect())
    row = await sample.admin.fetchrow("SELECT * FROM audit_entries")
    assert row is not None
    assert (row["subject"], row["roles"], row["operation"]) == ("ada", ["ops_engineer", "viewer"], "/Sample/Do")
    assert (row["occurred_at"], row["version"], row["correlation_id"]) == (then, 1, "c-1")


async def test_an_error_in_the_handler_leaves_nothing(sample: Sample) -> None:
    async def fail(work: UnitOfWork) -> None:
        await effect()(work)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        await sample.mutate(a_call(), fail)
    assert await sample.counts() == NOTHING


async def test_an_error_at_the_very_end_leaves_nothing(sample: Sample) -> None:
    async def twice(work: UnitOfWork) -> None:
        await effect("same")(work)
        await insert_effect(work, "same")

    # The table's unique names are checked by the commit itself.
    with pytest.raises(asyncpg.UniqueViolationError):
        await sample.mutate(a_call(), twice)
    assert await sample.counts() == NOTHING


async def test_an_event_that_cannot_be_written_takes_everything_with_it(sample: Sample) -> None:
    async def unspeakable(work: UnitOfWork) -> None:
        await effect("with NUL \0")(work)

    with pytest.raises(asyncpg.PostgresError):
        await sample.mutate(a_call(), unspeakable)
    assert await sample.counts() == NOTHING


async def test_a_failure_is_not_remembered(sample: Sample) -> None:
    async def fail(_work: UnitOfWork) -> None:
        raise Conflict("Not now.")

    with pytest.raises(Conflict):
        await sample.mutate(a_call(), fail)
    assert not (await sample.mutate(a_call(), effect())).replayed
    assert await sample.counts() == ONCE


async def test_a_second_use_of_a_key_gets_the_first_answer_to_the_byte(sample: Sample) -> None:
    first = await sample.mutate(a_call(), effect())
    for _ in range(3):
        assert await sample.mutate(a_call(), effect()) == Answer(first.body, replayed=True)
    assert await sample.counts() == ONCE


async def test_a_second_use_of_a_key_with_another_body_is_refused(sample: Sample) -> None:
    await sample.mutate(a_call(), effect(), body="one")
    with pytest.raises(Invalid) as refused:
        await sample.mutate(a_call(), effect(), body="two")
    assert (refused.value.code, refused.value.status) == ("idempotency-key-reused", 422)
    assert await sample.counts() == ONCE


async def test_a_second_use_of_a_key_for_another_rpc_is_refused(sample: Sample) -> None:
    await sample.mutate(a_call(method="/One"), effect())
    with pytest.raises(Invalid) as refused:
        await sample.mutate(a_call(method="/Two"), effect())
    assert refused.value.code == "idempotency-key-reused"


async def test_a_key_belongs_to_its_principal_and_workspace(sample: Sample) -> None:
    answers = [
        await sample.mutate(a_call(), effect("by ada")),
        await sample.mutate(a_call(subject="bob"), effect("by bob")),
        await sample.mutate(a_call(workspace="other"), effect("in another workspace")),
    ]
    assert not any(answer.replayed for answer in answers)
    assert await sample.counts() == (3, 3, 3, 3)


async def test_fifty_equal_requests_at_once_have_one_effect(sample: Sample) -> None:
    async def one() -> Answer | Conflict:
        try:
            return await sample.mutate(a_call(), effect())
        except Conflict as conflict:
            return conflict

    outcomes = await asyncio.gather(*(one() for _ in range(50)))
    answers = [each for each in outcomes if isinstance(each, Answer)]
    assert len([answer for answer in answers if not answer.replayed]) == 1
    assert len({answer.body for answer in answers}) == 1
    assert {each.code for each in outcomes if isinstance(each, Conflict)} <= {"idempotency-key-in-flight"}
    assert await sample.counts() == ONCE


async def test_a_key_in_use_right_now_is_a_conflict_until_it_is_free(sample: Sample) -> None:
    held, release = asyncio.Event(), asyncio.Event()

    async def slow(work: UnitOfWork) -> None:
        await effect()(work)
        held.set()
        await release.wait()

    first = asyncio.create_task(sample.mutate(a_call(), slow))
    await held.wait()
    with pytest.raises(Conflict) as refused:
        await sample.mutate(a_call(), effect())
    assert (refused.value.code, refused.value.retry_after) == ("idempotency-key-in-flight", 1)
    release.set()
    answer = await first
    assert await sample.mutate(a_call(), effect()) == Answer(answer.body, replayed=True)
    assert await sample.counts() == ONCE


async def test_an_attempt_that_fails_leaves_nothing_that_was_noted_in_it(sample: Sample) -> None:
    noted: list[str] = []

    async def look_up() -> None:
        noted.append("looked up")

    async def locks_and_fails(work: UnitOfWork) -> None:
        async with work.attempt():
            work.held.add(("clients", "1"))
            work.afterwards(lambda: noted.append("done afterwards"))
            await work.once("terms", look_up)
            raise RuntimeError

    async with unit_of_work(sample.database, a_call(), service="sample") as work:
        with pytest.raises(RuntimeError):
            await locks_and_fails(work)
        # Its locks are gone, so that what they held is looked at again.
        assert not work.held
        await work.once("terms", look_up)
    assert noted == ["looked up", "looked up"]


async def test_a_read_session_cannot_write(sample: Sample) -> None:
    async def write() -> None:
        async with sample.database.read(a_call()) as session:
            assert await session.fetchval("SELECT count(*) FROM effects") == 0
            await session.fetchval("INSERT INTO effects (workspace_id) VALUES ('acme') RETURNING true")

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await write()


@pytest.mark.parametrize("workspace", ["", "'; DROP TABLE effects; --", "Ac me", "a" * 64, "acme\n", "ä", "_platform2"])
async def test_what_is_no_workspace_id_never_reaches_the_database(sample: Sample, workspace: str) -> None:
    with pytest.raises(Forbidden):
        async with unit_of_work(sample.database, a_call(workspace=workspace), service="sample"):
            pytest.fail("a unit of work was begun")
