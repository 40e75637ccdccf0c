"""A caller of the integrations service."""

from typing import Any

from opsfield.common.v1.raw_body_pb2 import RawBody
from opsfield.integrations.v1 import jobs_pb2, uploads_pb2
from opsfield.integrations.v1.jobs_pb2 import ColumnMapping, Job
from opsfield.ops.v1.clients_pb2 import ListClientsRequest
from tests import callers
from tests.callers import eventually


class Caller(callers.Caller):
    """With what is asked of integrations, and how many clients ops has then."""

    async def upload(self, data: bytes) -> str:
        body = RawBody(content_type="text/csv", data=data)
        return str((await self.call("CreateUpload", uploads_pb2.CreateUploadRequest(content=body))).id)

    async def import_clients(self, data: bytes) -> Job:
        """Columns Id, Name and perhaps Status."""
        fields = {"Name": "name", "Status": "status"}
        columns = data.partition(b"\n")[0].decode().split(",")
        request = jobs_pb2.CreateImportRequest(
            kind="clients",
            format=Job.CSV,
            upload_id=await self.upload(data),
            mapping=[
                ColumnMapping(column=column, field=field)
                for column, field in fields.items()
                if column in columns or column == "Name"
            ],
            external_id_column="Id",
        )
        job: Job = await self.call("CreateImport", request)
        return job

    async def job(self, job: Job) -> Job:
        found: Job = await self.call("GetJob", jobs_pb2.GetJobRequest(id=job.id))
        return found

    async def ended(self, job: Job) -> Job:
        async def look() -> Job | None:
            found = await self.job(job)
            return found if found.is_final else None

        found: Job = await eventually(look)
        return found

    async def client_count(self, **filters: Any) -> int:
        """Of ops."""
        return int((await self.call("ListClients", ListClientsRequest(limit=1, **filters))).page.total)
