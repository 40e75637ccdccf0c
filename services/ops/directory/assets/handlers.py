"""What assets have beside the standard rpcs."""

from datetime import UTC

from google.protobuf.message import Message

from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1.assets_pb2 import Asset, ObserveAssetRequest
from services.ops.directory.assets import rules
from services.ops.directory.belonging import BelongingHandlers


class AssetHandlers(BelongingHandlers):
    """AssetService."""

    async def observe_asset(self, request: ObserveAssetRequest, work: UnitOfWork) -> Message:
        status = Asset.Status.Name(request.status).lower()
        at = work.now
        if request.HasField("observed_at"):
            # No later than now: one clock that is ahead would make all later observations look old.
            at = min(at, request.observed_at.ToDatetime(tzinfo=UTC))
        return await self.change(work, request.id, lambda asset: rules.observe(asset, status=status, at=at))
