"""What assets have beside the standard rpcs."""

from datetime import UTC, datetime

from google.protobuf.message import Message

from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1.assets_pb2 import Asset, ObserveAssetRequest
from services.ops.directory.assets import rules
from services.ops.directory.belonging import BelongingHandlers


class AssetHandlers(BelongingHandlers):
    """AssetService."""

    async def observe_asset(self, request: ObserveAssetRequest, work: UnitOfWork) -> Message:
        at = request.observed_at.ToDatetime(tzinfo=UTC) if request.HasField("observed_at") else work.now
        return await self.observe(work, request.id, status=Asset.Status.Name(request.status).lower(), at=at)

    async def observe(self, work: UnitOfWork, asset_id: str, *, status: str, at: datetime) -> Message:
        """Take in an observation. Raises NotFound, and what the rules raise."""
        # No later than now: one clock that is ahead would make all later observations look old.
        at = min(at, work.now)
        return await self.change(work, asset_id, lambda asset: rules.observe(asset, status=status, at=at))
