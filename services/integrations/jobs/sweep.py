"""Files of jobs are removed a while after these have ended, with pieces that lost leases left in their folders."""

from datetime import timedelta

from kit.database import Database
from kit.sweeping import Sweep
from kit.unit_of_work import unit_of_work
from services.integrations.files import Files
from services.integrations.jobs import callers, pieces
from services.integrations.jobs.worker import artifact_folder


def file_sweep(database: Database, relay_url: str, files: Files, *, days: int) -> Sweep:
    """Files go first, then what names them: a crash between leaves nothing that nobody knows of."""
    kept = timedelta(days=days)

    async def forget_job(workspace_id: str) -> bool:
        call = callers.of_workspace(workspace_id, "sweep jobs")
        async with unit_of_work(database, call, service=callers.SERVICE) as work:
            job = await pieces.lock_oldest_job(work, work.now - kept)
            if job is None:
                return False
            await files.delete(artifact_folder(job))
            await pieces.forget(work, job)
        return True

    return Sweep("files of jobs", relay_url, pieces.DUE.format(days=days), forget_job)
