"""Uploads that no import uses are removed a day after their last part."""

from datetime import timedelta

from kit.database import Database
from kit.sweeping import Sweep
from kit.unit_of_work import unit_of_work
from services.integrations.files import Files
from services.integrations.jobs import callers
from services.integrations.uploads import store
from services.integrations.uploads.handlers import folder

_KEPT = timedelta(days=1)
_DUE = "SELECT DISTINCT workspace_id FROM uploads WHERE NOT used AND extended_at <= $1::timestamptz - interval '1 day'"


def upload_sweep(database: Database, relay_url: str, files: Files) -> Sweep:
    async def remove_one(workspace_id: str) -> bool:
        call = callers.of_workspace(workspace_id, "sweep uploads")
        async with unit_of_work(database, call, service=callers.SERVICE) as work:
            upload_id = await store.lock_oldest_unused(work, work.now - _KEPT)
            if upload_id is None:
                return False
            await files.delete(folder(workspace_id, upload_id))
            await store.delete(work, upload_id)
        return True

    return Sweep("uploads", relay_url, _DUE, remove_one)
