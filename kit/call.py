"""The request being served: who, for which workspace, under which key."""

from dataclasses import dataclass

from kit.errors import Forbidden
from kit.identity import Principal

# A workspace id no caller can name (it does not match formats.WORKSPACE_ID): rows that belong to the platform itself.
PLATFORM_WORKSPACE = "_platform"


@dataclass(frozen=True)
class Call:
    """`method` is the gRPC path; `expected_version` is If-Match: a version, or None for any."""

    method: str
    principal: Principal
    correlation_id: str
    idempotency_key: str | None = None
    expected_version: int | None = None
    traceparent: str | None = None

    @property
    def workspace_id(self) -> str:
        """The workspace whose rows the call may see. Raises Forbidden when it has none."""
        if self.principal.workspace_id is None:
            raise Forbidden("The call names no workspace.", code="workspace-missing")
        return self.principal.workspace_id

    @property
    def client_id(self) -> str | None:
        """The client whose rows alone the call may see; None: those of all clients."""
        return self.principal.client_id
