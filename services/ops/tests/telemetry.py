"""What telemetry tells over Kafka, as tests tell it."""

from time import monotonic

from google.protobuf.message import Message

from kit import contract, ids
from kit.call import Call
from kit.events import compose
from kit.identity import Principal
from kit.kafka import start_consumer, start_producer, stop


class Telemetry:
    """The producer of the conditions of one workspace."""

    def __init__(self, broker: str, workspace: str) -> None:
        self._broker = broker
        self._workspace = workspace

    async def tell(self, *messages: Message, key: str = "k-1", twice: bool = False) -> None:
        """Publish events, in their order where they are of one topic; `twice` as after a relay's crash."""
        call = Call("/Test", Principal("telemetry", workspace_id=self._workspace), ids.new_id())
        producer = await start_producer(self._broker, client_id="telemetry-test")
        try:
            for message in messages:
                event = compose(message, key=key, service="telemetry", call=call)
                for _ in range(2 if twice else 1):
                    await producer.send_and_wait(event.topic, value=event.body.encode(), key=key.encode())
        finally:
            await stop(producer)

    async def parked(self, message: type[Message], key: str) -> str:
        """Why the event of this key was parked, once it is."""
        topic = f"{contract.event_topic(message.DESCRIPTOR)}.dlq"
        consumer = await start_consumer(self._broker, (topic,), group=None, client_id="reader")
        deadline = monotonic() + 30
        try:
            while monotonic() < deadline:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key == key.encode():
                            return str(dict(record.headers)["dlq-reason"].decode())
        finally:
            await stop(consumer)
        raise AssertionError("nothing was parked")
