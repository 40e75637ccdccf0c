"""What the kernel tells of memory."""

from pathlib import Path

# cgroup v2 and v1: of the container, or of the whole machine outside one.
_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))


def out_of_memory_kills() -> int:
    """How many processes of this container the kernel has killed for its memory limit; 0 where it does not say."""
    for path in _COUNTERS:
        try:
            lines = [line.split() for line in path.read_text().splitlines()]
        except OSError:
            continue
        return sum(int(count) for name, count in lines if name == "oom_kill")
    return 0
