"""The kind `assets`."""

from collections.abc import Iterable

from google.protobuf.message import Message

from kit.resources.kind import Kind, Row
from opsfield.ops.v1.assets_pb2 import Asset, AssetStateChanged
from services.ops.directory.assets import rules


def announce(before: Row | None, after: Row, asset: Asset) -> Iterable[Message]:
    """The events that a change of an asset gives rise to: only another state on either axis does."""
    if before is not None and (before["status"], before["lifecycle"]) != (after["status"], after["lifecycle"]):
        yield AssetStateChanged(
            asset=asset,
            previous_status=before["status"].upper(),
            previous_lifecycle=before["lifecycle"].upper(),
        )


ASSETS = Kind(
    message=Asset,
    rules=rules.judge,
    defaults={"status": "unknown", "type": "other"},
    announce=announce,
    unique={"assets_serial_number": "serialNumber", "assets_agent": "agentId"},
)
