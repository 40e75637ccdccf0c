"""Events that cannot be sent, or not now: visible with the reason, and no event of another key waits for them."""

import asyncio

import asyncpg
import pytest

from devstack.ports import free_ports
from kit.errors import Internal, NotFound
from kit.kafka import MAX_EVENT_BYTES
from kit.outbox import OutboxHandlers
from kit.redrive import main, redrive
from kit.tests.kafka_records import TOPIC, at_least, names_by_key, read, relay
from kit.tests.sample_service import SERVICE, Sample, a_call, eventually, running
from kit.unit_of_work import unit_of_work
from opsfield.common.v1 import outbox_pb2

PENDING = outbox_pb2.OutboxEvent.State.PENDING
PUBLISHED = outbox_pb2.OutboxEvent.State.PUBLISHED
FAILED = outbox_pb2.OutboxEvent.State.FAILED


async def outbox(sample: Sample, workspace: str = "acme", **filters: object) -> list[outbox_pb2.OutboxEvent]:
    """The outbox as a caller sees it."""
    request = outbox_pb2.ListOutboxEventsRequest(**filters)  # type: ignore[arg-type]
    async with sample.database.read(a_call(workspace=workspace)) as session:
        return list((await OutboxHandlers(SERVICE).list_outbox_events(request, session)).data)


async def retry(sample: Sample, event_id: str, workspace: str = "acme") -> outbox_pb2.OutboxEvent:
    async with unit_of_work(sample.database, a_call(workspace=workspace), service=SERVICE) as work:
        request = outbox_pb2.RetryOutboxEventRequest(id=event_id)
        return await OutboxHandlers(SERVICE).retry_outbox_event(request, work)


async def shrink(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Mend the events that are too large."""
    await admin.execute("UPDATE outbox SET payload = payload #- '{data,sample,labels}' WHERE state = 'failed'")


async def test_an_event_too_large_fails_and_only_its_key_waits(sample: Sample, broker: str) -> None:
    await sample.emit("good", "one")
    await sample.emit("bad", "before")
    await sample.emit("bad", "large", padding=MAX_EVENT_BYTES)
    await sample.emit("bad", "after", "long after")
    await sample.emit("good", "two", "three")
    async with running(relay(sample, broker).run()):
        records = await read(broker, at_least(4))
        assert names_by_key(records) == {"good": ["one", "two", "three"], "bad": ["before"]}
        (failed,) = await outbox(sample, state=FAILED)
        assert (failed.key, failed.attempts) == ("bad", 1)
        assert "more than 900000" in failed.last_error
        assert {each.key for each in await outbox(sample, state=PENDING)} == {"bad"}

        await shrink(sample.admin)
        assert (await retry(sample, failed.id)).state == PENDING
        records = await read(broker, at_least(7))
    assert names_by_key(records)["bad"] == ["before", "large", "after", "long after"]
    assert {each.state for each in await outbox(sample)} == {PUBLISHED}


async def test_an_event_that_fails_again_is_failed_again(sample: Sample, broker: str) -> None:
    await sample.emit("bad", "large", padding=MAX_EVENT_BYTES)

    async def failed() -> bool:
        return await sample.count("outbox", "state = 'failed'") == 1

    async with running(relay(sample, broker).run()):
        await eventually(failed)
        (event,) = await outbox(sample)
        await retry(sample, event.id)
        await eventually(failed)


async def test_only_a_failed_event_of_ones_own_workspace_can_be_retried(sample: Sample) -> None:
    await sample.emit("k-1", "one")
    (event,) = await outbox(sample)
    with pytest.raises(NotFound):
        await retry(sample, event.id)
    await sample.admin.execute("UPDATE outbox SET state = 'failed'")
    with pytest.raises(NotFound):
        await retry(sample, event.id, workspace="other")
    assert (await retry(sample, event.id)).id == event.id


async def test_the_outbox_shows_a_workspace_its_own_events_alone(sample: Sample) -> None:
    await sample.emit("k-1", "lamp")
    assert [each.key for each in await outbox(sample)] == ["k-1"]
    assert await outbox(sample, workspace="other") == []
    assert len(await outbox(sample, q="LAMP")) == 1
    assert await outbox(sample, q="candle") == []
    assert await outbox(sample, topic="other.topic") == []


async def test_while_the_broker_is_down_events_wait_and_say_why(sample: Sample, broker: str) -> None:
    await sample.emit("k-1", "one", "two")
    await sample.emit("k-2", "three")
    nobody = f"127.0.0.1:{free_ports('127.0.0.1', ['kafka'])['kafka']}"

    async def all_tried_twice() -> bool:
        return await sample.count("outbox", "attempts >= 2 AND last_error IS NOT NULL") == 3

    async with running(relay(sample, nobody).run()):
        await eventually(all_tried_twice)
    for event in await outbox(sample):
        assert event.state == PENDING
        assert "Kafka" in event.last_error
    async with running(relay(sample, broker).run()):
        records = await read(broker, at_least(3))
    assert names_by_key(records) == {"k-1": ["one", "two"], "k-2": ["three"]}

    async def all_published() -> bool:
        return await sample.count("outbox", "state = 'published' AND last_error IS NULL") == 3

    async with running(relay(sample, broker).run()):
        await eventually(all_published)


async def test_it_goes_on_while_nobody_says_how_long_to_keep_things(sample: Sample, broker: str) -> None:
    await sample.emit("k-1", "one")
    async with running(relay(sample, broker, trouble=Internal("broken")).run()):
        await eventually(lambda: sample.is_published(1))
        # It has looked for what is old by now, since nothing was left to be sent.
        await asyncio.sleep(0.5)
        await sample.emit("k-1", "two")
        await eventually(lambda: sample.is_published(2))


async def test_what_is_old_is_swept_away_and_what_waits_is_kept(sample: Sample, broker: str) -> None:
    await sample.emit("k-1", "old", "new")
    await sample.emit("k-2", "failed")
    await sample.admin.execute(
        """
        UPDATE outbox SET state = 'published', published_at = now() - interval '8 days'
        WHERE payload::text LIKE '%"old"%';
        UPDATE outbox SET state = 'published', published_at = now() - interval '6 days'
        WHERE payload::text LIKE '%"new"%';
        UPDATE outbox SET state = 'failed', created_at = now() - interval '8 days' WHERE key = 'k-2';
        INSERT INTO inbox VALUES
            ('acme', 'c', 'old', now() - interval '31 days'), ('acme', 'c', 'new', now() - interval '29 days');
        INSERT INTO idempotency_keys (workspace_id, principal, key, fingerprint, created_at) VALUES
            ('acme', 'ada', 'old', '', now() - interval '8 days'),
            ('acme', 'ada', 'new', '', now() - interval '6 days');
        """
    )

    async def swept() -> bool:
        return await sample.count("inbox") == 1

    # The record is on the broker, so that nothing is sent again.
    async with running(relay(sample, broker).run()):
        await eventually(swept)
    assert await sample.admin.fetchval("SELECT key FROM idempotency_keys") == "new"
    assert await sample.admin.fetchval("SELECT event_id FROM inbox") == "new"
    left = {each.key: each.state for each in await outbox(sample)}
    assert left == {"k-1": PUBLISHED, "k-2": FAILED}


async def test_all_failed_events_of_a_service_go_back_in_line_at_once(sample: Sample, broker: str) -> None:
    await sample.emit("good", "one")
    for key, workspace in (("a", "acme"), ("b", "other")):
        await sample.emit(key, "large", padding=MAX_EVENT_BYTES, workspace=workspace)
        await sample.emit(key, "after", workspace=workspace)
    async with running(relay(sample, broker).run()):
        await eventually(lambda: has_failed(sample, 2))
        assert [row["key"] for row in await redrive(sample.relay_url, dry_run=True)] == ["a", "b"]
        assert not await redrive(sample.relay_url, "another.topic")
        assert await has_failed(sample, 2)
        # Not mended yet: they fail again, and nothing overtakes them.
        assert len(await redrive(sample.relay_url, TOPIC)) == 2
        await eventually(lambda: has_failed(sample, 2))
        await shrink(sample.admin)
        told = [(row["workspace_id"], row["key"]) for row in await redrive(sample.relay_url)]
        assert told == [("acme", "a"), ("other", "b")]
        records = await read(broker, at_least(5))
    assert names_by_key(records) == {"good": ["one"], "a": ["large", "after"], "b": ["large", "after"]}
    assert await sample.count("outbox", "attempts > 0 OR state <> 'published'") == 0


def test_redrive_says_what_it_did(
    app_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_RELAY_URL", app_url.replace("sample_app", "sample_relay"))
    assert main(["--topic", "none.such"]) == 0
    assert capsys.readouterr().out == "0 are back in line.\n"
    monkeypatch.setenv("DATABASE_RELAY_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert main([]) == 1
    assert "could not be changed" in capsys.readouterr().err


async def has_failed(sample: Sample, count: int) -> bool:
    return await sample.count("outbox", "state = 'failed'") == count
