"""Named points at which a test may let the process die, as if the machine had lost its power.

The points on the way of a mutation: before-key, after-key, after-copy (of COPY), after-effect, after-outbox,
before-commit, after-commit, before-answer; of its event: before-produce, after-produce, after-acknowledge; of its
consumer: before-inbox, after-inbox, before-consumer-commit, after-consumer-commit, after-offset.
"""

import os

_DEATH = 137

_armed: dict[str, int] = {}


def arm(crash_at: str) -> None:
    """`point` or `point:n`: the process ends at the nth passing of that point, without any clean-up. Empty: never."""
    _armed.clear()
    if crash_at:
        point, _, count = crash_at.partition(":")
        _armed[point] = int(count or 1)


def point(name: str) -> None:
    """Pass a point."""
    if not _armed or name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] == 0:
        os._exit(_DEATH)
