"""What the machine is."""

import ipaddress
import platform
import socket
import time
from typing import Any

import psutil

from opsfield_agent import __version__, clock, hardware

# Documentation's own network (RFC 5737): nothing is sent there, but a route is chosen.
_ANYWHERE = ("192.0.2.1", 9)
_MOST = 100


def hostname() -> str:
    """The machine's name."""
    return (socket.gethostname() or "unknown")[:253]


def operating_system() -> str:
    """`Debian GNU/Linux 12 (bookworm)`."""
    try:
        release = platform.freedesktop_os_release()
        name = release.get("PRETTY_NAME") or f"{release.get('NAME', '')} {release.get('VERSION', '')}".strip()
    except OSError:
        name = ""
    return (name or f"{platform.system()} {platform.release()}".strip() or "unknown")[:_MOST]


def uptime_seconds() -> float:
    """Since the machine started."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return clock.steady()
    return max(0.0, clock.wall() - psutil.boot_time())


def inventory(local_address: str | None, serial_number: str | None) -> dict[str, Any]:
    """The report's fields, without those that are not known.

    `local_address` is the one by which the platform is reached; `serial_number` stands in where reading it needs root.
    """
    address = _address(local_address)
    report = {
        "hostname": hostname(),
        "type": hardware.kind(has_battery=_has_battery()),
        "manufacturer": hardware.read("sys_vendor"),
        "model": hardware.read("product_name"),
        "serialNumber": hardware.read("product_serial") or serial_number,
        "operatingSystem": operating_system(),
        "ipAddress": address,
        "macAddress": _mac_address(address),
        "agentVersion": __version__,
        "cpuCount": psutil.cpu_count() or None,
        "memoryBytes": psutil.virtual_memory().total,
    }
    return {name: value for name, value in report.items() if value is not None}


def _address(local_address: str | None) -> str | None:
    """The machine's own address; that of the loopback would tell nothing."""
    if local_address:
        local_address = local_address.partition("%")[0].removeprefix("::ffff:")
        if not ipaddress.ip_address(local_address).is_loopback:
            return local_address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
            address = str(probe.getsockname()[0])
        except OSError:
            return None
    return None if ipaddress.ip_address(address).is_loopback else address


def _mac_address(address: str | None) -> str | None:
    if address is None:
        return None
    for addresses in psutil.net_if_addrs().values():
        if any(each.address.partition("%")[0] == address for each in addresses):
            found = next((each.address for each in addresses if each.family == psutil.AF_LINK), "")
            found = found.lower().replace("-", ":")
            return found if len(found) == 17 and found != "00:00:00:00:00:00" else None
    return None


def _has_battery() -> bool:
    try:
        return psutil.sensors_battery() is not None
    except (AttributeError, OSError, ValueError, NotImplementedError):
        return False
