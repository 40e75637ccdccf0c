"""disk.used_percent, disk.free_bytes: of each file system on a disk of the machine; the instance is its mount point."""

import logging
from collections.abc import Iterator
from typing import Any

import psutil

from opsfield_agent.collectors.metric import metric

log = logging.getLogger(__name__)

# Full by their nature.
_IMAGES = {"squashfs", "iso9660", "udf", "erofs", "cramfs"}


def disk() -> Iterator[dict[str, Any]]:
    """A disk that cannot be asked costs its own metrics only."""
    for mount_point in _mount_points():
        try:
            usage = psutil.disk_usage(mount_point)
        except OSError as error:
            log.info("No metrics of the disk at %s: %s", mount_point, error)
            continue
        if usage.total:
            yield metric("disk.used_percent", usage.percent, mount_point)
            yield metric("disk.free_bytes", usage.free, mount_point)


def _mount_points() -> list[str]:
    """Each file system once: it can be mounted at several places (by containers, by systemd)."""
    by_device: dict[str, str] = {}
    for partition in psutil.disk_partitions(all=False):
        if partition.fstype in _IMAGES:
            continue
        known = by_device.get(partition.device)
        if known is None or len(partition.mountpoint) < len(known):
            by_device[partition.device] = partition.mountpoint
    return sorted(by_device.values())
