"""Files that are there whole or not at all, and are read by nobody else."""

import contextlib
import os
from pathlib import Path

_TEMPORARY = ".tmp"


def make_private(directory: Path) -> None:
    """Make the directory if there is none, for its owner's eyes only. Raises OSError."""
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
        give_to_owner_of(directory.parent, directory)


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write the file so that a crash at any instant leaves the old one or the new one. Raises OSError.

    With `durable` it outlasts a power cut once this returns.
    """
    temporary = path.with_name(path.name + _TEMPORARY)
    try:
        with open(temporary, "wb", opener=_open_private) as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        give_to_owner_of(path.parent, temporary)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync(path.parent)


def sync(directory: Path) -> None:
    """Make what was renamed and removed in the directory outlast a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporary(directory: Path) -> None:
    """Remove what a crash left half written."""
    for path in directory.glob("*" + _TEMPORARY):
        path.unlink(missing_ok=True)


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def give_to_owner_of(directory: Path, path: Path) -> None:
    """Let the file belong to whom the directory does.

    Root may enroll a machine whose service runs as somebody else, who must be able to read what root writes.
    """
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
