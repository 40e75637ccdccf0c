"""Uploads are removed: those that no import uses a day after their last part, those that were used once no job needs
them."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from kit.database import Database
from kit.sweeping import Sweep
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.integrations.files import Files
from services.integrations.jobs import callers
from services.integrations.uploads import store
from services.integrations.uploads.handlers import folder

_UNUSED_KEPT = timedelta(days=1)

LockOldest = Callable[[UnitOfWork, datetime], Awaitable[str | None]]


def upload_sweeps(database: Database, relay_url: str, files: Files, *, used_days: int) -> list[Sweep]:
    """Files go first, then the rows that name them: a crash between leaves nothing that nobody knows of."""

    def removing(name: str, due: str, lock_oldest: LockOldest, kept: timedelta) -> Sweep:
        async def remove_one(workspace_id: str) -> bool:
            call = callers.of_workspace(workspace_id, "sweep uploads")
            async with unit_of_work(database, call, service=callers.SERVICE) as work:
                upload_id = await lock_oldest(work, work.now - kept)
                if upload_id is None:
                    return False
                await files.delete(folder(workspace_id, upload_id))
                await store.delete(work, upload_id)
            return True

        return Sweep(name, relay_url, due, remove_one)

    return [
        removing("uploads", store.DUE_UNUSED, store.lock_oldest_unused, _UNUSED_KEPT),
        removing(
            "used uploads", store.DUE_USED.format(days=used_days), store.lock_oldest_needless, timedelta(days=used_days)
        ),
    ]
