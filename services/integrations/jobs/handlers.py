"""JobService."""

from google.api.httpbody_pb2 import HttpBody

from kit.database import Session
from kit.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.integrations.v1 import jobs_pb2 as pb2
from opsfield.integrations.v1.jobs_pb2 import ColumnMapping
from services.integrations.files import Files
from services.integrations.imports.profiles.all import PROFILES
from services.integrations.imports.profiles.profile import Profile
from services.integrations.jobs import pieces, requests, rules, store
from services.integrations.jobs.links import Links
from services.integrations.jobs.store import Job
from services.integrations.ops_kinds import all_kinds
from services.integrations.uploads import store as uploads

_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


class JobHandlers:
    def __init__(self, files: Files, links: Links) -> None:
        self._files = files
        self._links = links

    async def create_import(self, request: pb2.CreateImportRequest, work: UnitOfWork) -> pb2.Job:
        asked, errors = requests.import_of(request)
        upload = await uploads.lock(work, request.upload_id)
        if upload is None:
            errors.append(FieldError("uploadId", "names no upload of this workspace"))
        if errors:
            raise Invalid.fields(*errors)
        await uploads.use(work, request.upload_id)
        job = await store.add(
            work,
            of_type="import",
            kind=asked.kind,
            in_format=asked.format,
            upload_id=request.upload_id,
            mapping=asked.mapping,
            external_id_column=asked.external_id_column,
            dry_run=request.dry_run,
            profile=asked.profile,
            time_zone=asked.time_zone,
            defaults=asked.defaults,
        )
        return message_of(job)

    async def create_export(self, request: pb2.CreateExportRequest, work: UnitOfWork) -> pb2.Job:
        if request.kind not in all_kinds():
            raise Invalid.fields(requests.no_kind())
        job = await store.add(
            work, of_type="export", kind=request.kind, in_format=_format(request.format), q=request.q or None
        )
        return message_of(job)

    async def list_import_profiles(
        self, request: pb2.ListImportProfilesRequest, session: Session
    ) -> pb2.ListImportProfilesResponse:
        del request, session
        return pb2.ListImportProfilesResponse(data=[_profile(each) for each in PROFILES.values()])

    async def list_jobs(self, request: pb2.ListJobsRequest, session: Session) -> pb2.ListJobsResponse:
        listing = Listing.of(request, pb2.Job.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return pb2.ListJobsResponse(**listing.answer([self._linked(store.of_row(row), session) for row in rows], total))

    async def get_job(self, request: pb2.GetJobRequest, session: Session) -> pb2.Job:
        return self._linked(_found(await store.get(session, request.id), request.id), session)

    async def cancel_job(self, request: pb2.CancelJobRequest, work: UnitOfWork) -> pb2.Job:
        job = _found(await store.lock(work, request.id), request.id)
        _check_may_steer(job, work)
        rules.check_cancel(job.status)
        work.audit(job.id, None)
        # What is being sent may have taken effect; it is counted first.
        if job.status == "queued" and job.sending is None:
            return message_of(await store.end(work, job, "cancelled"))
        return message_of(await store.request_cancel(work, job))

    async def retry_job(self, request: pb2.RetryJobRequest, work: UnitOfWork) -> pb2.Job:
        job = _found(await store.lock(work, request.id), request.id)
        _check_may_steer(job, work)
        rules.check_retry(job.status, job.files_removed_at)
        if job.type == rules.SYNC and (other := await store.under_way(work, job.kind)):
            raise sync_under_way(other)
        work.audit(job.id, None)
        return message_of(await store.requeue(work, job))

    async def get_job_artifact(self, request: pb2.GetJobArtifactRequest, session: Session) -> HttpBody:
        job_id = self._links.job_of(session.call.workspace_id, request.token)
        job = _found(await store.get(session, job_id), job_id)
        if job.files_removed_at is not None:
            raise NotFound(f"The artifact was removed on {job.files_removed_at:%Y-%m-%d}.", code="files-removed")
        paths = await pieces.of_part(session, job_id, request.part)
        if not paths:
            raise NotFound(f"The artifact has {job.artifact_parts} parts, counted from 0.")
        data = b"".join([await self._files.get(path) for path in paths])
        media_type = _MEDIA_TYPES["csv" if job.type == "import" else job.format]
        return HttpBody(content_type=media_type, data=data)

    def _linked(self, job: Job, session: Session) -> pb2.Job:
        """With the link to its artifact, for those who may read what is in it."""
        principal = session.call.principal
        may_read = principal.service is not None or principal.has_any(_readers(job))
        message = message_of(job)
        if may_read and job.artifact_parts and job.status in rules.FINAL:
            message.artifact_url = self._links.url(job.workspace_id, job.id)
        return message


def sync_under_way(job_id: str) -> Conflict:
    """Why there is no other sync just now."""
    return Conflict(f"The sync {job_id} is under way; wait for it, or cancel it.", code="sync-under-way")


def _readers(job: Job) -> frozenset[str]:
    """Roles of those who may read what is in its artifact."""
    return rules.BOOKKEEPERS if job.type == rules.SYNC else frozenset(all_kinds()[job.kind].list_rpc.roles)


def _check_may_steer(job: Job, work: UnitOfWork) -> None:
    """Whoever may begin such a job may cancel and retry it. Raises Forbidden."""
    principal, roles = work.call.principal, rules.may_steer(job.type)
    if principal.service is None and not principal.has_any(roles):
        raise Forbidden(f"This needs one of the roles {', '.join(sorted(roles))}.", code="role-missing")


def _format(number: int) -> str:
    return pb2.Job.Format.Name(number).lower()


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


def message_of(job: Job) -> pb2.Job:
    return pb2.Job(
        id=job.id,
        type=job.type.upper(),
        kind=job.kind,
        format=job.format.upper(),
        status=job.status.upper(),
        is_final=job.status in rules.FINAL,
        upload_id=job.upload_id,
        mapping=[ColumnMapping(**each) for each in job.mapping],
        external_id_column=job.external_id_column,
        dry_run=job.dry_run,
        q=job.q,
        rows_done=job.rows_done,
        rows_total=job.rows_total,
        rows_failed=job.rows_failed,
        rows_created=job.rows_created,
        rows_updated=job.rows_updated,
        retry_count=job.retry_count,
        error_code=job.error_code,
        error_message=job.error_message,
        cancel_requested=job.cancel_requested,
        artifact_parts=job.artifact_parts,
        queued_at=job.queued_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        files_removed_at=job.files_removed_at,
        profile=job.profile,
        time_zone=job.time_zone,
        defaults=[pb2.DefaultValue(**each) for each in job.defaults],
        created_at=job.created_at,
        created_by=job.created_by,
        provider=job.provider,
    )


def _profile(profile: Profile) -> pb2.ImportProfile:
    return pb2.ImportProfile(
        name=profile.name,
        kind=profile.kind,
        format=profile.format.upper(),
        description=profile.described,
        mapping=[ColumnMapping(**each) for each in profile.pairs],
        external_id_column=profile.external_id,
        required_columns=sorted(profile.required),
        needs_client=profile.needs_client,
    )
