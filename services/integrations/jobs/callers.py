"""On whose behalf jobs are worked on."""

from kit import ids
from kit.call import Call
from kit.calls import Passport
from kit.identity import Principal
from services.integrations.jobs.store import Job

SERVICE = "integrations"


def of_workspace(workspace_id: str, doing: str = "run jobs") -> Call:
    return Call(doing, Principal(f"service:{SERVICE}", workspace_id=workspace_id, service=SERVICE), ids.new_id())


def of_job(job: Job) -> Call:
    principal = Principal(f"service:{SERVICE}", workspace_id=job.workspace_id, service=SERVICE)
    return Call("run jobs", principal, job.correlation_id)


def passport(job: Job, step: str | None = None) -> Passport:
    """To another service, as whoever asked for the job. The same step has the same idempotency key whenever and
    wherever it is done; None for what only reads."""
    principal = Principal(job.created_by, workspace_id=job.workspace_id, service=SERVICE)
    return Passport(principal, job.correlation_id, idempotency_key=ids.child_key(job.id, step) if step else None)
