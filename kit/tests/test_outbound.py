"""Where calls to addresses of others go, and where not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from kit.outbound import Answer, Broken, Outbound, Refused, TooLong, Unreachable, check_url, refusal

# As an HTTP server would be told apart by what it answers.
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "fec0::1",
        "no address",
        "",
    ],
)
def test_some_addresses_are_never_reached(address: str) -> None:
    assert refusal(address, internal=True)
    assert refusal(address, internal=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "::1",
        "fd12::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ],
)
def test_internal_addresses_are_reached_where_that_is_allowed(address: str) -> None:
    assert refusal(address, internal=True) is None
    assert refusal(address, internal=False)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_reached(address: str) -> None:
    assert refusal(address, internal=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "inventory:8001",
        "/path",
        "//host/path",
        "ftp://host/",
        "file:///etc/passwd",
        "gopher://host/",
        "http://",
        "http:///x",
        "http://user@host/",
        "http://user:secret@host/",
        "http://host/#part",
        "http://ho st/",
        "http://host/\nx",
        "http://host\\@other/",
        "http://hö.example/",
        "http://host:99999/",
        "http://host:0/",
        "http://host:80:80/",
        "http://public.example@169.254.169.254/",
        "http://public.example%40169.254.169.254@/",
        "http://\u2460\u2461\u2466.0.0.1/",
        "http://host\t/",
        "http://host\0.example/",
        "jar:http://host!/",
        "HTTP:host",
        "http://[::1/",
        f"http://host/{'x' * 2000}",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url)


@pytest.mark.parametrize("url", ["http://host:8001", "https://host/agents/a?b=c", "http://[::1]:80/"])
def test_urls_that_are_taken(url: str) -> None:
    check_url(url)


def test_a_bare_address_is_looked_at_at_once() -> None:
    outbound = Outbound(internal=False)
    for url in (
        "http://127.0.0.1:8001",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://[::ffff:127.0.0.1]/",
    ):
        with pytest.raises(Refused):
            outbound.check(url)
    outbound.check("http://example.com")
    Outbound(internal=True).check("http://127.0.0.1:8001")


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "2852039166", "0xa9fea9fe", "[::ffff:a9fe:a9fe]"),
        *(
            "0x7f.1",
            "017700000001",
            "127.0.0.1.",
            "localhost.",
            "LOCALHOST",
            "[::]",
            "[::127.0.0.1]",
        ),
    ],
)
async def test_an_address_written_oddly_is_still_that_address(host: str) -> None:
    outbound = Outbound(internal=False)
    # Where the system's resolver knows no such writing, it leads nowhere.
    with pytest.raises((Refused, Unreachable), match=r"internal network|not to be reached|has no address|is no URL"):
        await outbound.post(f"http://{host}/", b"", headers={}, seconds=30, most_bytes=1)
    await outbound.close()


Serve = Callable[[bytes], Awaitable[tuple[int, list[bytes]]]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Answers each request with the same bytes: the port, and the heads of the requests."""
    servers = []

    async def start(answer: bytes) -> tuple[int, list[bytes]]:
        heads: list[bytes] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        servers.append(server)
        return server.sockets[0].getsockname()[1], heads

    yield start
    for server in servers:
        server.close()


async def post(url: str, *addresses: str, internal: bool = True, most_bytes: int = 1000, seconds: float = 20) -> Answer:
    """Post where names lead to these addresses."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        if not addresses:
            raise OSError("no such host")
        return addresses

    outbound = Outbound(internal=internal, resolve=resolve)
    try:
        return await outbound.post(url, b"{}", headers={"x-a": "b"}, seconds=seconds, most_bytes=most_bytes)
    finally:
        await outbound.close()


async def test_a_name_is_looked_up_and_its_checked_address_used(serve: Serve) -> None:
    port, heads = await serve(PLAIN)
    answer = await post(f"http://agent.example:{port}/reasoners/x", "169.254.169.254", "127.0.0.1")
    assert answer == Answer(200, b"hi")
    head = heads[0].decode().lower()
    assert head.startswith("post /reasoners/x http/1.1")
    assert f"host: agent.example:{port}" in head
    assert "x-a: b" in head
    assert head.count("host:") == 1


async def test_a_name_that_changes_its_address_gains_nothing(serve: Serve) -> None:
    """DNS rebinding: it is looked up once for a call, and again for the next."""
    port, heads = await serve(PLAIN)
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    outbound = Outbound(internal=True, resolve=resolve)
    url = f"http://agent.example:{port}/"
    assert (await outbound.post(url, b"", headers={}, seconds=30, most_bytes=9)).status == 200
    with pytest.raises(Refused):
        await outbound.post(url, b"", headers={}, seconds=30, most_bytes=9)
    assert len(heads) == 1
    await outbound.close()


@pytest.mark.parametrize("addresses", [("169.254.169.254",), ("10.0.0.1", "::ffff:127.0.0.1")])
async def test_a_name_that_leads_elsewhere_is_refused(serve: Serve, addresses: tuple[str, ...]) -> None:
    port, heads = await serve(PLAIN)
    with pytest.raises(Refused):
        await post(f"http://agent.example:{port}/", *addresses, internal=False)
    assert heads == []


async def test_redirects_are_an_answer_like_any_other(serve: Serve) -> None:
    port, heads = await serve(b"HTTP/1.1 307 Go\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
    assert (await post(f"http://127.0.0.1:{port}/")).status == 307
    assert len(heads) == 1


async def test_what_cannot_be_reached_was_not_sent() -> None:
    with pytest.raises(Unreachable, match="has no address"):
        await post("http://nowhere.example/")
    with pytest.raises(Unreachable, match="no connection"):
        await post("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhi",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi",
    ],
)
async def test_an_answer_that_is_not_whole_is_broken(serve: Serve, answer: bytes) -> None:
    port, _ = await serve(answer)
    with pytest.raises(Broken):
        await post(f"http://127.0.0.1:{port}/")


async def test_an_answer_may_be_so_large_and_no_larger(serve: Serve) -> None:
    port, _ = await serve(PLAIN)
    assert (await post(f"http://127.0.0.1:{port}/", most_bytes=2)).body == b"hi"
    with pytest.raises(TooLong):
        await post(f"http://127.0.0.1:{port}/", most_bytes=1)


async def test_an_answer_may_take_so_long() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    with pytest.raises(Broken, match="no answer within"):
        await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", seconds=0.2)
    server.close()
