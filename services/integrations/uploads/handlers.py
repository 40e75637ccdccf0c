"""UploadService."""

from hashlib import sha256

from kit import ids
from kit.database import Session
from kit.errors import Conflict, FieldError, Invalid, NotFound, TooLarge
from kit.unit_of_work import UnitOfWork
from opsfield.integrations.v1.uploads_pb2 import AppendUploadRequest, CreateUploadRequest, GetUploadRequest, Upload
from services.integrations.files import Files
from services.integrations.uploads import store
from services.integrations.uploads.store import Part, Row

MOST_BYTES = 1024**3


class UploadHandlers:
    def __init__(self, files: Files) -> None:
        self._files = files

    async def create_upload(self, request: CreateUploadRequest, work: UnitOfWork) -> Upload:
        upload = await store.add(work, ids.new_id())
        return _message(await self._add(work, upload, request.content.data))

    async def append_upload(self, request: AppendUploadRequest, work: UnitOfWork) -> Upload:
        upload = await store.lock(work, request.id)
        if upload is None:
            raise NotFound(f"There is no upload {request.id}.")
        data = request.content.data
        if await store.part_digest(work, request.id, request.offset) == sha256(data).hexdigest():
            return _message(upload)
        if upload["used"]:
            raise Conflict("An import reads this already; begin another upload.", code="upload-in-use")
        if request.offset != upload["size"]:
            raise Conflict(
                f"The upload has {upload['size']} bytes: the next part begins there.",
                code="offset-mismatch",
                errors=[FieldError("offset", f"must be {upload['size']}")],
            )
        if upload["size"] + len(data) > MOST_BYTES:
            raise TooLarge(f"An upload has at most {MOST_BYTES} bytes.")
        return _message(await self._add(work, upload, data))

    async def get_upload(self, request: GetUploadRequest, session: Session) -> Upload:
        upload = await store.get(session, request.id)
        if upload is None:
            raise NotFound(f"There is no upload {request.id}.")
        return _message(upload)

    async def _add(self, work: UnitOfWork, upload: Row, data: bytes) -> Row:
        """The file is there before the row that names it, so that a row never names nothing."""
        if not data:
            raise Invalid.fields(FieldError("content", "must not be empty"))
        digest = sha256(data).hexdigest()
        path = f"{folder(work.call.workspace_id, upload['id'])}/{upload['size']:010d}-{digest[:16]}"
        await self._files.put(path, data)
        return await store.add_part(work, upload["id"], Part(upload["size"], len(data), path), digest)


def folder(workspace_id: str, upload_id: str) -> str:
    """Where the parts of an upload lie."""
    return f"{workspace_id}/uploads/{upload_id}"


def _message(row: Row) -> Upload:
    return Upload(id=row["id"], size=row["size"], created_at=row["created_at"], created_by=row["created_by"])
