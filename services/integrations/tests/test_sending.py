"""Messages by Apprise: to a real webhook and a real mail server, and not to where they should not go."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests import Response

from services.integrations.notifications import guard
from services.integrations.notifications.sending import Receipt, Sender
from services.integrations.tests.receivers import Hook, hook, mailbox


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as running:
        yield running


def sender(*, internal: bool = True) -> Sender:
    return Sender(internal=internal, seconds=10)


async def test_a_webhook_gets_title_and_text(receiver: Hook) -> None:
    receipt = await sender().send(receiver.url, "Disk full", "On srv-1: 99 %")
    assert (receipt.delivered, receipt.service) == (True, "json")
    [taken] = receiver.taken
    assert (taken["title"], taken["message"]) == ("Disk full", "On srv-1: 99 %")


async def test_a_title_alone_is_the_message(receiver: Hook) -> None:
    assert (await sender().send(receiver.url, "Only this", "")).delivered
    assert receiver.taken[0]["message"] == "Only this"


async def test_what_the_other_side_answers_is_told(receiver: Hook) -> None:
    receiver.status, receiver.answer = 418, "no coffee here"
    receipt = await sender().send(receiver.url.replace("json://", "json://user:secret@"), "T", "B")
    assert not receipt.delivered
    assert "418" in receipt.answer
    assert "no coffee here" in receipt.answer
    assert "secret" not in receipt.answer


LINES = [f"Disk C: is nearly full on srv-{index:02}" for index in range(100)]


def limited(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.body_maxlen", most)


async def test_a_text_too_long_for_the_service_comes_in_parts(receiver: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 2000)
    receipt = await sender().send(receiver.url, "100 messages", "\n".join(LINES))
    assert receipt.delivered
    texts = [each["message"] for each in receiver.taken]
    assert [len(each) <= 2000 for each in texts] == [True, True]
    assert "\n".join(texts).split("\n") == LINES


async def test_a_text_with_a_part_that_is_refused_is_not_delivered(
    receiver: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, 2000)
    receiver.status, receiver.answer = 400, "too much"
    receipt = await sender().send(receiver.url, "100 messages", "\n".join(LINES))
    assert not receipt.delivered
    assert "too much" in receipt.answer


async def test_what_would_take_too_many_parts_is_cut(receiver: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 1000)
    assert (await sender().send(receiver.url, "Many messages", "\n".join(LINES * 50))).delivered
    assert 1 < len(receiver.taken) <= 8
    assert receiver.taken[-1]["message"].endswith("(The rest is left out.)")


async def test_a_service_of_short_messages_gets_one(receiver: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 160)
    assert (await sender().send(receiver.url, "100 messages", "\n".join(LINES))).delivered
    [taken] = receiver.taken
    assert taken["message"] == "\n".join(LINES)[:160].rstrip()


@pytest.mark.parametrize(
    ("most", "mode", "messages"), [(2000, "truncate", 1), (2000, "upstream", 1), (500, "split", 7)]
)
async def test_the_address_may_say_how_long_texts_are_sent(
    receiver: Hook, monkeypatch: pytest.MonkeyPatch, most: int, mode: str, messages: int
) -> None:
    limited(monkeypatch, most)
    assert (await sender().send(f"{receiver.url}?overflow={mode}", "100 messages", "\n".join(LINES))).delivered
    assert len(receiver.taken) == messages
    assert (len(receiver.taken[0]["message"]) > most) is (mode == "upstream")


async def test_a_service_without_a_limit_gets_all_in_one(receiver: Hook) -> None:
    assert (await sender().send(receiver.url, "T" * 400, "\n".join(LINES * 20))).delivered
    [taken] = receiver.taken
    assert (taken["title"], taken["message"]) == ("T" * 400, "\n".join(LINES * 20))


async def test_discord_and_others_get_no_more_than_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []

    def post(*_: object, data: str, **__: object) -> Response:
        sent.append(json.loads(data))
        response = Response()
        response.status_code = 200
        return response

    monkeypatch.setattr("apprise.plugins.discord.requests.post", post)
    receipt = await sender().send("discord://123456789/abcdefghij", "100 messages", "\n".join(LINES))
    assert receipt.delivered, receipt.answer
    assert len(sent) > 1
    assert max(len(each["content"]) for each in sent) <= 2000


async def test_a_mail_arrives() -> None:
    with mailbox() as box:
        url = f"mailto://127.0.0.1:{box.port}/?from=desk@msp.example&to=ada@acme.example&mode=insecure"
        receipt = await sender().send(url, "Ticket T-1", "It is open.")
    assert receipt.delivered, receipt.answer
    [mail] = box.mails
    assert (mail["subject"], mail["to"]) == ("Ticket T-1", "ada@acme.example")


@pytest.mark.parametrize("url", ["", "nonsense", "http", "json://", "unknown://host/"])
async def test_what_is_no_address_is_told_as_such(url: str) -> None:
    receipt = await sender().send(url, "T", "B")
    assert not receipt.delivered
    assert receipt.answer


@pytest.mark.parametrize("url", ["syslog://", "dbus://", "macosx://"])
async def test_nothing_is_done_on_this_machine(url: str) -> None:
    assert not (await sender().send(url, "T", "B")).delivered


async def test_nobody_there_is_told(receiver: Hook) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        receipt = await sender().send(f"json://127.0.0.1:{port}/", "T", "B")
    assert not receipt.delivered


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"])
async def test_inside_is_not_reached_from_a_production_platform(receiver: Hook, host: str) -> None:
    receipt = await sender(internal=False).send(f"json://{host}:{receiver.port}/in", "T", "B")
    assert not receipt.delivered
    assert receiver.taken == []


async def test_metadata_of_clouds_is_reached_from_nowhere(receiver: Hook) -> None:
    receipt = await sender().send("json://169.254.169.254/latest", "T", "B")
    assert not receipt.delivered


async def test_redirects_are_not_followed(receiver: Hook) -> None:
    with hook() as elsewhere:
        receiver.status, receiver.location = 307, f"http://127.0.0.1:{elsewhere.port}/"
        receipt = await sender().send(receiver.url, "T", "B")
        assert elsewhere.taken == []
    assert not receipt.delivered


TEAMS = "workflows://127.0.0.1:1/workflow/signature?template="


async def test_what_a_plugin_fetches_besides_is_not_fetched_from_inside() -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.setblocking(False)
        template = f"http%3A%2F%2F127.0.0.1%3A{inside.getsockname()[1]}%2Fcard.json"
        assert not (await sender(internal=False).send(TEAMS + template, "T", "B")).delivered
        with pytest.raises(BlockingIOError):
            inside.accept()


async def test_files_of_this_machine_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"type": "message", "attachments": [{"contentType": "ours"}]}))
    sent = []
    monkeypatch.setattr("apprise.plugins.workflows.requests.post", lambda *_, **options: sent.append(options))
    receipts = [await sender().send(f"{TEAMS}{path}", "T", "B") for path in (card, tmp_path / "nothing.json")]
    assert sent == []
    # Nor is it told whether they are there.
    assert [each.answer.replace("nothing", "card") for each in receipts] == [receipts[0].answer] * 2


@pytest.mark.parametrize("address", [("127.0.0.1", 80), ("::ffff:127.0.0.1", 80), ("localhost", 80), "/run/x.sock"])
def test_the_guard_is_for_its_thread_and_block_alone(address: tuple[str, int] | str) -> None:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection, guard.only_outside(internal=False):
        with pytest.raises(PermissionError):
            connection.connect(address)
        with pytest.raises(PermissionError):
            connection.connect_ex(address)
    with socket.create_server(("127.0.0.1", 0)) as inside, socket.create_connection(inside.getsockname()):
        pass


async def test_a_fault_of_a_plugin_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("json://user:secret@host")

    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.notify", fail)
    receipt = await sender().send("json://example.org/", "T", "B")
    assert receipt == Receipt(False, "The service could not be used: RuntimeError.", "json")
