"""HTTP to addresses that others have named: an agent's, a webhook's. They may name ours to reach what they should not
(server-side request forgery), so each call looks its host up anew and goes to an address that was checked, no other.

What is never reached: link-local addresses and the metadata services of clouds, multicast, what is reserved. Loopback
and private networks only where that is allowed. Redirects are not followed, proxies of the environment not used, and
answers are bounded in size and time.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# From a host's name and port to its addresses, as texts. Raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_LONGEST_URL = 2000
_CONNECT_SECONDS = 5.0
# Metadata and host services of clouds that stand outside link-local ranges: AWS over IPv6, Alibaba, Azure, Oracle.
_METADATA = frozenset(
    ipaddress.ip_address(each) for each in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
# IPv6 addresses that lead to the IPv4 address in their last 32 bits.
_TRANSLATED = tuple(ipaddress.ip_network(each) for each in ("64:ff9b::/96", "::/96"))
_LOCAL_TRANSLATION = ipaddress.ip_network("64:ff9b:1::/48")


class OutboundError(Exception):
    """A call that brought no answer; says why, in words that its owner may read."""


class Refused(OutboundError):
    """The URL leads where it may not."""


class Unreachable(OutboundError):
    """Nobody was reached: nothing of the request was sent."""


class Broken(OutboundError):
    """It was sent, at least in part, but no whole answer came; what it did is not known."""


class TooLong(OutboundError):
    """The answer is larger than it may be."""


@dataclass(frozen=True)
class Answer:
    """`body` as it came."""

    status: int
    body: bytes


def check_url(url: str) -> httpx.URL:
    """The URL, if it is one that may be asked for what it says: http or https, with a host, without credentials and
    fragment. Raises Refused. Where its host leads is looked at with each call; a bare address at once."""
    try:
        found = httpx.URL(url) if len(url) <= _LONGEST_URL else None
    except (httpx.InvalidURL, ValueError, TypeError):
        found = None
    if found is None or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused("is no URL")
    if found.port is not None and not 0 < found.port < 65536:
        raise Refused("has a port that there is not")
    if found.scheme not in ("http", "https") or not found.host:
        raise Refused("must be an absolute http or https URL")
    if found.userinfo:
        raise Refused("must hold no credentials")
    if found.fragment:
        raise Refused("must have no fragment")
    return found


def refusal(address: str, *, internal: bool) -> str | None:
    """Why that address is not to be reached; None when it may be. `internal`: whether loopback and private networks
    may."""
    try:
        found = _leads_to(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return f"{address} is no address"
    if found in _METADATA or found.is_link_local or found.is_multicast or found.is_unspecified or _is_reserved(found):
        return f"{found} is not to be reached"
    if not internal and not found.is_global:
        return f"{found} is of an internal network"
    return None


class Outbound:
    """`internal`: whether loopback and private networks may be reached."""

    def __init__(self, *, internal: bool, resolve: Resolve | None = None) -> None:
        self._internal = internal
        self._resolve = resolve or _look_up
        # No connection is kept: one that was made to an address for one host must not be used for another's.
        self._http = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        )

    async def close(self) -> None:
        await self._http.aclose()

    def check(self, url: str) -> None:
        """As `check_url`; and, where its host is a bare address, whether that may be reached. Raises Refused."""
        host = check_url(url).host
        if _is_address(host) and (reason := refusal(host, internal=self._internal)):
            raise Refused(reason)

    async def post(
        self, url: str, content: bytes, *, headers: Mapping[str, str], seconds: float, most_bytes: int
    ) -> Answer:
        """The answer to a POST, whatever its status. Raises Refused, Unreachable, Broken, and TooLong for an answer of
        more than `most_bytes`; Broken too after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(url, content, headers, most_bytes)
        except TimeoutError as error:
            raise Broken(f"no answer within {seconds:g} s") from error

    async def _post(self, url: str, content: bytes, headers: Mapping[str, str], most_bytes: int) -> Answer:
        asked = check_url(url)
        address = await self._address(asked)
        request = self._http.build_request(
            "POST",
            asked.copy_with(host=address),
            content=content,
            # `Host` and the name that the certificate is for stay those of the URL.
            headers={**headers, "host": asked.netloc.decode("ascii"), "accept-encoding": "identity"},
            extensions={"sni_hostname": asked.host},
        )
        try:
            answer = await self._http.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(f"no connection: {_words(error)}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Broken(f"the connection broke: {_words(error)}") from error
        try:
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise Broken("the answer is compressed, which was not asked for")
            return Answer(answer.status_code, await _bounded(answer.aiter_raw(), most_bytes))
        except httpx.HTTPError as error:
            raise Broken(f"the connection broke: {_words(error)}") from error
        finally:
            await answer.aclose()

    async def _address(self, url: httpx.URL) -> str:
        """One that the host has and that may be reached."""
        if _is_address(url.host):
            found: Sequence[str] = [url.host]
        else:
            port = url.port or (443 if url.scheme == "https" else 80)
            try:
                found = await self._resolve(url.host, port)
            except (OSError, UnicodeError) as error:
                raise Unreachable(f"{url.host} has no address") from error
        reasons = [refusal(each, internal=self._internal) for each in found]
        for address, reason in zip(found, reasons, strict=True):
            if reason is None:
                return address
        raise Refused(next((each for each in reasons if each), f"{url.host} has no address"))


def _leads_to(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    for embedded in (address.ipv4_mapped, address.sixtofour, address.teredo and address.teredo[1]):
        if embedded:
            return embedded
    if any(address in network for network in _TRANSLATED) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_reserved(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_reserved or address in ipaddress.ip_network("0.0.0.0/8")
    # Python counts loopback among what is reserved.
    return address in _LOCAL_TRANSLATION or (address.is_reserved and not address.is_loopback) or address.is_site_local


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _look_up(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _bounded(parts: AsyncIterator[bytes], most_bytes: int) -> bytes:
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > most_bytes:
            raise TooLong(f"the answer has more than {most_bytes} bytes")
    return bytes(body)


def _words(error: Exception) -> str:
    return (" ".join(str(error).split()).rstrip(".") or type(error).__name__)[:200]
