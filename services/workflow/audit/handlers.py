"""AuditService."""

import base64

from kit import contract
from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing
from opsfield.workflow.v1.audit_pb2 import (
    AuditCheckpoint,
    AuditCredential,
    GetAuditCheckpointRequest,
    ListAuditCredentialsRequest,
    ListAuditCredentialsResponse,
)
from services.workflow.audit import store

_KINDS = contract.enum_words(AuditCredential.DESCRIPTOR.fields_by_name["kind"])


class AuditHandlers:
    """Credentials and checkpoints."""

    async def list_audit_credentials(
        self, request: ListAuditCredentialsRequest, session: Session
    ) -> ListAuditCredentialsResponse:
        listing = Listing.of(request, AuditCredential.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        data = [AuditCredential(**{**dict(row), "kind": _KINDS[row["kind"]]}) for row in rows]
        return ListAuditCredentialsResponse(**listing.answer(data, total))

    async def get_audit_checkpoint(self, _request: GetAuditCheckpointRequest, session: Session) -> AuditCheckpoint:
        row = await store.latest_checkpoint(session)
        if row is None:
            raise NotFound("Nothing has been sealed in this workspace yet.")
        return AuditCheckpoint(**{**row, "root": base64.b64encode(row["root"]).decode()})
