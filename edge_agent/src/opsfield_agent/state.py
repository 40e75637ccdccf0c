"""The state directory: what stands where in it, and who may use it now."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from opsfield_agent import files
from opsfield_agent.errors import AgentError

# `status` holds the lock for an instant to see whether it is free.
_LOCK_SECONDS = 1.0


class State:
    """The paths in a state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.identity = directory / "identity.json"
        # The private key of an enrollment that has not ended yet.
        self.enrolling_key = directory / "enrolling.key"
        self.policy = directory / "policy.json"
        self.progress = directory / "status.json"
        self.spool = directory / "spool"
        self.rejected = directory / "rejected"
        self._lock = directory / "lock"

    def prepare(self) -> None:
        """Make the directory. Raises AgentError."""
        try:
            files.make_private(self.directory)
        except OSError as error:
            raise self.trouble(error) from None

    def trouble(self, error: OSError) -> AgentError:
        """A sentence about what the system did not let us do here."""
        if isinstance(error, PermissionError):
            return AgentError(
                f"No permission to use {error.filename or self.directory}: run as root or as the user whose it is, "
                "or choose another place with --state-dir."
            )
        return AgentError(f"{error.filename or self.directory} cannot be used: {error.strerror or error}.")

    def forget(self) -> None:
        """Remove what belongs to the workspace that the machine leaves."""
        for directory in (self.spool, self.rejected):
            shutil.rmtree(directory, ignore_errors=True)
        for path in (self.policy, self.progress):
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Be the only one who changes the directory, until the block or the process ends. Raises AgentError."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self.trouble(error) from None
        try:
            if not _lock(descriptor, _LOCK_SECONDS):
                owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
                raise AgentError(f"An agent is at work already on {self.directory} (process {owner}): stop it first.")
            files.give_to_owner_of(self.directory, self._lock)
            files.remove_temporary(self.directory)
            os.ftruncate(descriptor, 0)
            with contextlib.suppress(OSError):  # On a full disk the lock holds without a number in it.
                os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Whether an agent is at work on the directory."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor, 0)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True
