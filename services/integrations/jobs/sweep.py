"""Files are removed a while after they were needed: those of jobs that have ended, with pieces that lost leases left in
their folders, and uploads that no job needs any more."""

from datetime import timedelta

from kit.database import Database
from kit.sweeping import Sweep
from kit.unit_of_work import unit_of_work
from services.integrations.files import Files
from services.integrations.jobs import callers, store
from services.integrations.jobs.worker import artifact_folder
from services.integrations.uploads import store as uploads
from services.integrations.uploads.handlers import folder


def file_sweeps(database: Database, relay_url: str, files: Files, *, days: int) -> list[Sweep]:
    """Files go first, then what names them: a crash between leaves nothing that nobody knows of."""
    kept = timedelta(days=days)

    async def forget_job(workspace_id: str) -> bool:
        call = callers.of_workspace(workspace_id, "sweep jobs")
        async with unit_of_work(database, call, service=callers.SERVICE) as work:
            job = await store.lock_oldest_with_files(work, work.now - kept)
            if job is None:
                return False
            await files.delete(artifact_folder(job))
            await store.forget_files(work, job)
        return True

    async def remove_upload(workspace_id: str) -> bool:
        call = callers.of_workspace(workspace_id, "sweep uploads")
        async with unit_of_work(database, call, service=callers.SERVICE) as work:
            upload_id = await uploads.lock_oldest_needless(work, work.now - kept)
            if upload_id is None:
                return False
            await files.delete(folder(workspace_id, upload_id))
            await uploads.delete(work, upload_id)
        return True

    return [
        Sweep("files of jobs", relay_url, store.DUE.format(days=days), forget_job),
        Sweep("used uploads", relay_url, uploads.DUE.format(days=days), remove_upload),
    ]
