"""Sends a message by Apprise, in a thread of its own, and hears what the other side says."""

import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from apprise import Apprise, AppriseAsset, ContentLocation, NotifyBase, NotifyType, OverflowMode
from apprise.attachment.file import AttachFile

from kit.logs import get_logger
from services.integrations.notifications import guard

# Of what the other side said.
_LONGEST_ANSWER = 2000
# What reads files or runs programs of ours is no way to tell people, nor what works in threads that no guard sees.
_NOT_FROM_HERE = frozenset(
    (
        *("dbus", "qt", "glib", "kde", "gnome", "macosx", "windows", "syslog", "rsyslog", "file"),
        *("mqtt", "mqtts", "xmpp", "xmpps"),
    )
)
_RESPONSE = re.compile(r"^Response Details:\s*", re.DOTALL)
_THREADS = 8
# A service that takes fewer characters than that is one of short messages, which often cost something each.
_SHORT = 1000
# So that all of a text is sent within the time of one message. `_TITLE`: what the title may take of each part.
_MOST_PARTS = 8
_MOST_BETWEEN_PARTS = 1.0
_TITLE = 300
_LEFT_OUT = "\n(The rest is left out.)"

log = get_logger(__name__)


@dataclass(frozen=True)
class Receipt:
    """`answer`: what the other side said, or why it was not asked; no part of the address. `service`: the kind of
    service that the address names."""

    delivered: bool
    answer: str
    service: str = ""


class Sender:
    """`internal`: whether addresses of our own networks may be reached. `seconds`: how long one message may take."""

    def __init__(self, *, internal: bool, seconds: float) -> None:
        self._internal = internal
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="notifications")

    async def send(self, url: str, title: str, body: str) -> Receipt:
        """`url` is an Apprise URL (https://github.com/caronc/apprise/wiki). Never raises for what the other side
        does."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._seconds * 2):
                return await loop.run_in_executor(self._threads, self._send, url, title, body)
        except TimeoutError:
            return Receipt(False, f"There was no answer within {self._seconds * 2:g} s.")

    def _send(self, url: str, title: str, body: str) -> Receipt:
        service = url.partition("://")[0].lower()[:50]
        if service in _NOT_FROM_HERE:
            return Receipt(False, "The channel's address names a service that messages cannot be sent by from here.")
        try:
            # Not by Apprise.notify, which does it in threads of its own, where no guard would be.
            with guard.only_outside(internal=self._internal), _listening() as said:
                plugin = Apprise.instantiate(url, asset=_ASSET)
                if plugin is None:
                    return Receipt(False, "The channel's address is no Apprise URL.")
                text = _fitted(plugin, body or title)
                delivered = plugin.notify(text, title=title if body else "", notify_type=NotifyType.INFO)
        except Exception as error:
            # A plugin's own fault: its text may hold the address.
            log.warning("notification plugin failed", service=service, error=type(error).__name__)
            return Receipt(False, f"The service could not be used: {type(error).__name__}.", service)
        answer = " ".join(each for each in said if each)[:_LONGEST_ANSWER]
        return Receipt(bool(delivered), answer or ("Taken." if delivered else "It was not taken."), service)


def _fitted(plugin: NotifyBase, text: str) -> str:
    """What is sent of a text. By itself Apprise sends a text that is too long for the service as it is, to be refused:
    it is sent in parts instead, or cut where the service is for short ones, unless the address says otherwise."""
    # Apprise has that of the address on the plugin itself; a service without a limit of its own has that of all.
    if "overflow_mode" in vars(plugin) or plugin.body_maxlen == NotifyBase.body_maxlen:
        return text
    if plugin.body_maxlen < _SHORT:
        plugin.overflow_mode = OverflowMode.TRUNCATE
        return text
    plugin.overflow_mode = OverflowMode.SPLIT
    plugin.request_rate_per_sec = min(plugin.request_rate_per_sec, _MOST_BETWEEN_PARTS)
    most = (plugin.body_maxlen - _TITLE) * _MOST_PARTS
    return text if len(text) <= most else text[: most - len(_LEFT_OUT)].rstrip() + _LEFT_OUT


class _Ears(logging.Handler):
    """Keeps what Apprise logs in a thread that listens; nothing of it goes anywhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        said: list[str] | None = getattr(self.thread, "said", None)
        if said is not None:
            said.append(_kept(record.levelno, record.getMessage()))


_ASSET = AppriseAsset(async_mode=False, http_redirects=False, secure_logging=True, app_id="Opsfield")
# An address may name templates and keys to be read; not from this machine's files.
AttachFile.location = ContentLocation.INACCESSIBLE
_EARS = _Ears()
_APPRISE = logging.getLogger("apprise")
_APPRISE.setLevel(logging.DEBUG)
_APPRISE.propagate = False
_APPRISE.addHandler(_EARS)


@contextmanager
def _listening() -> Iterator[list[str]]:
    said: list[str] = []
    _EARS.thread.said = said
    try:
        yield said
    finally:
        del _EARS.thread.said


def _kept(level: int, message: str) -> str:
    """What of Apprise's log may be told: what went wrong, and the answer; the rest names the address."""
    text = " ".join(message.replace("\0", "").split())
    if _RESPONSE.match(text):
        return _RESPONSE.sub("", text)
    return text if level >= logging.INFO else ""
