"""What the firmware tells of the machine (Linux: /sys/class/dmi/id), without what manufacturers forgot to fill in."""

import re
from functools import cache
from pathlib import Path

DMI = Path("/sys/class/dmi/id")

_NOTHING = re.compile(
    r"^$|to be filled|o\.?e\.?m\.?\b.*(fill|string)|^default string|^not (specified|applicable|available|present)"
    r"|^system (manufacturer|product|serial|version)|^(none|unknown|n/?a|invalid|empty|chassis serial number|x+|0+|f+"
    r"|123456789|0123456789)$|^\.+$",
    re.IGNORECASE,
)
# UUIDs that many boards share.
_SHARED_IDS = re.compile(
    r"^(.)\1*$|^03000200040005000006000700080009$|^0123456789abcdef|^12345678123456781234567812345678$"
)
_VIRTUAL = re.compile(
    r"qemu|kvm|vmware|virtualbox|innotek|virtual machine|\bxen\b|bochs|bhyve|parallels|openstack|amazon ec2|"
    r"google compute engine|digitalocean|hetzner|alibaba cloud|ovirt|rhev|nutanix|firecracker",
    re.IGNORECASE,
)
_LAPTOPS = {8, 9, 10, 11, 12, 14, 30, 31, 32}
_WORKSTATIONS = {3, 4, 5, 6, 7, 13, 15, 16, 24, 34, 35, 36}
_SERVERS = {17, 23, 25, 28, 29}
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def read(name: str, directory: Path = DMI) -> str | None:
    """A value such as `product_name`; None where it cannot be read or says nothing."""
    try:
        text = (directory / name).read_text(errors="replace").strip()
    except OSError:
        return None
    return None if _NOTHING.search(text) else text[:100]


def hardware_id(directory: Path = DMI) -> str | None:
    """What stays the same when the machine is set up anew; None where nothing is sure to be its alone."""
    if any(mark.exists() for mark in _CONTAINER_MARKS):
        return None  # The firmware is that of the host, which containers share.
    text = read("product_uuid", directory)
    if text is None or _SHARED_IDS.search(text.replace("-", "").lower()):
        return None
    return text.lower()


def kind(directory: Path = DMI, *, has_battery: bool) -> str | None:
    """virtual_machine, laptop, workstation or server, by best guess."""
    about = " ".join(filter(None, (read(name, directory) for name in ("sys_vendor", "product_name", "bios_vendor"))))
    if _VIRTUAL.search(about) or _has_hypervisor():
        return "virtual_machine"
    chassis = read("chassis_type", directory) or ""
    number = int(chassis) if chassis.isdecimal() else 0
    for numbers, name in ((_LAPTOPS, "laptop"), (_SERVERS, "server"), (_WORKSTATIONS, "workstation")):
        if number in numbers:
            return name
    return "laptop" if has_battery else None


@cache
def _has_hypervisor() -> bool:
    try:
        with Path("/proc/cpuinfo").open(errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return "hypervisor" in flags.split()
