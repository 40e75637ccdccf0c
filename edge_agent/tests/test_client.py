"""HTTP as it goes wrong: every request ends in time with an answer or a sentence."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from opsfield_agent import urls
from opsfield_agent.backoff import Backoff, retry_after
from opsfield_agent.client import Answer, Client, Unreachable

Talk = Callable[[socket.socket], object]


def test_an_answer_that_is_cut_off_is_none() -> None:
    with _server(_say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")) as client, pytest.raises(Unreachable):
        client.request("GET", "/")


def test_an_answer_that_dribbles_is_given_up_in_time() -> None:
    def dribble(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(50):
            connection.sendall(b"x")
            time.sleep(0.1)

    with _server(dribble) as client:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="in time"):
            client.request("GET", "/", seconds=0.7)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 2_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
)
def test_nonsense_is_a_sentence(answer: bytes) -> None:
    with _server(_say(answer)) as client, pytest.raises(Unreachable) as caught:
        client.request("GET", "/", seconds=2)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kept_connection_that_was_closed_is_opened_anew() -> None:
    # Each connection serves one request and is closed, without saying so.
    with _server(_say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as client:
        for _ in range(3):
            assert client.request("POST", "/", body=b"x" * 100).document() == {}
            time.sleep(0.05)


def test_stopping_ends_a_request_under_way_and_all_that_follow() -> None:
    ended = threading.Event()
    with _server(lambda connection: ended.wait(5)) as client:
        threading.Timer(0.3, client.stop).start()
        began = time.monotonic()
        with pytest.raises(Unreachable):
            client.request("GET", "/")
        with pytest.raises(Unreachable):
            client.request("GET", "/")
        assert time.monotonic() - began < 2
        ended.set()


def test_a_proxy_is_used_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with _server(proxy, heard) as client:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:word@127.0.0.1:{client.url.port}")
        monkeypatch.setenv("http_proxy", f"http://user:word@127.0.0.1:{client.url.port}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{client.url.port}")
        monkeypatch.setenv("no_proxy", "direct.invalid")
        through = Client(urls.parse("http://platform.invalid/base"))
        assert through.request("GET", "/x").status == 200
        through.close()
        secure = Client(urls.parse("https://platform.invalid"))
        with pytest.raises(Unreachable):
            secure.request("GET", "/x", seconds=2)
        with pytest.raises(Unreachable, match=r"direct\.invalid is not known"):
            Client(urls.parse("http://direct.invalid")).request("GET", "/x")
    assert heard[0].startswith(b"GET http://platform.invalid/base/x HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in heard[0]
    assert heard[1].startswith(b"CONNECT platform.invalid:443 ")
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999999", 3600.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2115 07:27:00 GMT", 3600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    headers = {"retry-after": header, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after(Answer(503, headers, b"")) == seconds


def test_pauses_grow_to_five_minutes_and_are_never_shorter_than_asked() -> None:
    backoff = Backoff()
    longest = [max(_pause_after(failures) for _ in range(60)) for failures in (1, 4, 30)]
    assert longest[0] <= 2
    assert 8 < longest[1] <= 16
    assert 200 < longest[2] <= 300
    assert all(40 <= backoff.after_failure(40.0) <= 44 for _ in range(50))


def _pause_after(failures: int) -> float:
    backoff = Backoff()
    return [backoff.after_failure(None) for _ in range(failures)][-1]


def _say(words: bytes) -> Talk:
    return lambda connection: connection.sendall(words)


@contextmanager
def _server(talk: Talk, heard: list[bytes] | None = None) -> Iterator[Client]:
    """A client of a server that reads a request, then talks, then closes."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                continue
            with connection:
                connection.settimeout(1)
                try:
                    request = connection.recv(65536)
                    if heard is not None and request:
                        heard.append(request)
                    talk(connection)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        client = Client(urls.parse(f"http://127.0.0.1:{server.getsockname()[1]}"))
        try:
            yield client
        finally:
            client.close()
            ended.set()
            thread.join()
