"""Addresses of HTTP servers, checked before anything is sent to them."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Url:
    """`https://host:port/path?query`; `host` is ready for the wire, `path` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def authority(self) -> str:
        """`host` or `host:port`, as the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query."""
        return (self.path or "/") + (f"?{self.query}" if self.query else "")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}" + (f"?{self.query}" if self.query else "")


def parse(text: str) -> Url:
    """The address. Raises ValueError with what is wrong with it."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:  # UnicodeError is one.
        raise ValueError(f"it cannot be read ({error})") from None
    if parts.scheme not in _PORTS:
        raise ValueError("it must begin with https://")
    if not host:
        raise ValueError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a user name or password")
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=-._~")
    return Url(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path, query)


def parse_platform(text: str, *, insecure_http: bool) -> Url:
    """The address of a platform. Raises ValueError with what is wrong with it."""
    url = parse(text)
    if url.query or "#" in text:
        raise ValueError("it must not hold a query or fragment")
    if url.scheme == "http" and not url.is_loopback and not insecure_http:
        raise ValueError("http:// would send everything in the clear: use https:// (or allow it with --insecure-http)")
    return url
