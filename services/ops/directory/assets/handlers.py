"""What assets have beside the standard rpcs."""

from datetime import UTC, datetime

from google.protobuf.message import Message

from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1.assets_pb2 import Asset, ObserveAssetRequest
from services.ops.directory.assets import rules
from services.ops.directory.belonging import BelongingHandlers


class AssetHandlers(BelongingHandlers):
    """AssetService."""

    async def observe_asset(self, request: ObserveAssetRequest, work: UnitOfWork) -> Message:
        at = request.observed_at.ToDatetime(tzinfo=UTC) if request.HasField("observed_at") else work.now
        return await self._observe(work, request.id, Asset.Status.Name(request.status).lower(), at, was_seen=False)

    async def observe(self, work: UnitOfWork, asset_id: str, *, status: str, at: datetime) -> Message:
        """Take in what telemetry has observed; `at` is when the asset was last seen, also where it is offline. Raises
        NotFound, and what the rules raise."""
        return await self._observe(work, asset_id, status, at, was_seen=True)

    async def _observe(self, work: UnitOfWork, asset_id: str, status: str, at: datetime, *, was_seen: bool) -> Message:
        # No later than now: one clock that is ahead would make all later observations look old.
        at = min(at, work.now)

        def apply(asset: Row) -> None:
            rules.observe(asset, status=status, at=at, was_seen=was_seen)

        return await self.change(work, asset_id, apply)
