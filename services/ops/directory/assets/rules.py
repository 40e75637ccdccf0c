"""What may happen to an asset."""

import re
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from kit.errors import Conflict, FieldError, IllegalTransition, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.directory.rules import stay_with_client

# What is observed. Retired stands apart: `_settle_status` enters and leaves it as the lifecycle says.
CONNECTIVITY = Lifecycle(
    noun="asset",
    initial=states("unknown"),
    moves={
        "unknown": states("online degraded offline"),
        "online": states("degraded offline"),
        "degraded": states("online offline"),
        "offline": states("online degraded"),
    },
)
# What the provider decides. What is taken over from elsewhere may start anywhere.
LIFECYCLE = Lifecycle(
    noun="asset",
    initial=states("ordered in_stock deployed maintenance retired disposed"),
    moves={
        "ordered": states("in_stock deployed retired"),
        "in_stock": states("deployed maintenance retired disposed"),
        "deployed": states("in_stock maintenance retired"),
        "maintenance": states("in_stock deployed retired disposed"),
        "retired": states("in_stock deployed disposed"),
        "disposed": states(""),
    },
)
OUT_OF_USE = states("retired disposed")
OBSERVABLE = states("online degraded offline")
REACHED = states("online degraded")

_MAC_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what an asset may not become; let its status follow its lifecycle out of use and back. Raises
    IllegalTransition on either axis, and Invalid for addresses that are none, a warranty that ends before the purchase,
    a move to another client."""
    del now
    # Like the status, it is kept when a replacement leaves it out.
    after["lifecycle"] = after["lifecycle"] or (before["lifecycle"] if before else "deployed")
    stay_with_client(before, after, "assets")
    LIFECYCLE.check(before["lifecycle"] if before else None, after["lifecycle"])
    _settle_status(before, after)
    if wrong := list(_wrong_fields(after)):
        raise Invalid.fields(*wrong)


def observe(asset: dict[str, Any], *, status: str, at: datetime, was_seen: bool = False) -> None:
    """Take in an observation; one older than the last is left aside. `was_seen`: `at` is when it was last seen, also
    where it is offline. Raises Invalid for a status that cannot be observed, Conflict when the asset is retired."""
    if status not in OBSERVABLE:
        raise Invalid.fields(FieldError("status", f"must be one of {', '.join(sorted(OBSERVABLE))}"))
    if asset["status"] == "retired":
        raise Conflict("The asset is retired; it is not observed.", code="asset-retired")
    if asset["last_seen_at"] is not None and at < asset["last_seen_at"]:
        return
    asset["status"] = status
    if was_seen or status in REACHED:
        asset["last_seen_at"] = at


def _settle_status(before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    is_out = after["lifecycle"] in OUT_OF_USE
    was_out = before is not None and before["lifecycle"] in OUT_OF_USE
    if not was_out and not is_out:
        CONNECTIVITY.check(before["status"] if before else None, after["status"])
    elif not was_out:
        after["status"] = "retired"
    elif is_out and after["status"] != "retired":
        legal = f"nothing, while its lifecycle is {after['lifecycle']}"
        raise IllegalTransition(f"An asset cannot go from retired to {after['status']}; legal: {legal}.")
    elif not is_out:
        if after["status"] not in ("retired", "unknown"):
            raise IllegalTransition(f"An asset cannot go from retired to {after['status']}; legal: unknown.")
        after["status"] = "unknown"


def _wrong_fields(asset: dict[str, Any]) -> Iterator[FieldError]:
    if asset["ip_address"] and not _is_ip_address(asset["ip_address"]):
        yield FieldError("ipAddress", "must be an IPv4 or IPv6 address")
    if asset["mac_address"] and not _MAC_ADDRESS.fullmatch(asset["mac_address"]):
        yield FieldError("macAddress", 'must be six bytes in hexadecimal, such as "00:1b:44:11:3a:b7"')
    bought, until = asset["purchase_date"], asset["warranty_expires_on"]
    if bought and until and until < bought:
        yield FieldError("warrantyExpiresOn", "must not be before the purchase date")


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
