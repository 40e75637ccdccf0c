"""A caller of services over gRPC, with the identity that the gateway would give it."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import grpc
from google.protobuf.message import Message

from kit import contract
from kit.errors import from_rpc_error
from kit.identity import Principal, TokenSigner
from opsfield.common.v1.raw_body_pb2 import RawBody
from opsfield.integrations.v1 import jobs_pb2, uploads_pb2
from opsfield.integrations.v1.jobs_pb2 import ColumnMapping, Job
from opsfield.ops.v1.clients_pb2 import ListClientsRequest

# Generous: the machine may be busy with others.
PATIENCE = 180.0


@dataclass(frozen=True)
class Caller:
    channel: grpc.aio.Channel
    signer: TokenSigner
    service: str
    principal: Principal

    async def call(self, name: str, request: Message) -> Any:
        """Call an rpc by its name, under a new idempotency key. Raises the problem it answers."""
        rpc = contract.by_name(self.service)[name]
        metadata = (
            ("authorization", f"Bearer {self.signer.sign(self.principal, self.service)}"),
            ("idempotency-key", uuid.uuid4().hex),
            ("x-correlation-id", uuid.uuid4().hex),
        )
        method: Any = self.channel.unary_unary(
            rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=rpc.response_class.FromString,
        )
        try:
            return await method(request, metadata=metadata, timeout=20, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.service) from error

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


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """The first answer that is true."""
    deadline = monotonic() + seconds
    while not (found := await look()):
        assert monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)
    return found
