"""SecretService."""

from datetime import datetime, timedelta
from typing import Any

from kit import clock, ids
from kit.call import PLATFORM_WORKSPACE
from kit.database import Session
from kit.errors import FieldError, Forbidden, Invalid, NotFound, PreconditionFailed
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.platform.v1 import secrets_pb2
from opsfield.platform.v1.secrets_pb2 import FetchSecretResponse, ListSecretsResponse, Secret, SecretChanged
from services.platform.secrets import envelope, store
from services.platform.secrets.envelope import Envelopes, Place
from services.platform.secrets.keys import PLATFORM_SECRETS, WORKSPACE_SECRETS, SecretKey, find
from services.platform.secrets.store import DataKey, Sealed

# For so long the version before is handed out too: the other side learns of the new one in its own time.
_PREVIOUS_HOLDS = timedelta(days=1)


class SecretHandlers:
    """The same for the platform and for workspaces: the rows differ by the session's workspace alone."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes

    async def list_platform_secrets(
        self, request: secrets_pb2.ListPlatformSecretsRequest, session: Session
    ) -> ListSecretsResponse:
        return await _page(request, session)

    async def list_workspace_secrets(
        self, request: secrets_pb2.ListWorkspaceSecretsRequest, session: Session
    ) -> ListSecretsResponse:
        return await _page(request, session)

    async def set_platform_secret(self, request: secrets_pb2.SetPlatformSecretRequest, work: UnitOfWork) -> Secret:
        return await self._set(request, work)

    async def set_workspace_secret(self, request: secrets_pb2.SetWorkspaceSecretRequest, work: UnitOfWork) -> Secret:
        return await self._set(request, work)

    async def fetch_secret(self, request: secrets_pb2.FetchSecretRequest, work: UnitOfWork) -> FetchSecretResponse:
        service = work.call.principal.service
        known = find(request.key, _keys(work))
        if known is None or service not in known.used_by:
            raise Forbidden(f"The secret {request.key} is not for the service {service}.", code="secret-not-yours")
        row = await store.use(work, request.key, str(service))
        if row is None:
            raise NotFound(f"The secret {request.key} has not been set.", code="secret-not-set")
        version = int(row["version"])
        wanted = [version, version - 1] if work.now - row["rotated_at"] < _PREVIOUS_HOLDS else [version]
        plain = [await self._open(work, request.key, each) for each in await store.values(work, request.key, wanted)]
        return FetchSecretResponse(value=plain[0], version=version, previous_value=plain[1] if len(plain) > 1 else None)

    async def _set(self, request: Any, work: UnitOfWork) -> Secret:
        key = request.key
        if find(key, _keys(work)) is None:
            names = ", ".join(each.name for each in _keys(work))
            raise Invalid.fields(FieldError("key", f"must be one of {names}"))
        await store.lock(work)
        before = await store.get(work, key)
        version = int(before["version"]) if before else 0
        expected = work.call.expected_version
        if expected is not None and expected != version:
            raise PreconditionFailed(
                f"The secret has version {version} by now, not {expected}; look again.", code="version-stale"
            )
        sealed = await self._seal(work, key, version + 1, request.value)
        row = await store.put(work, key, sealed, await self._fingerprint(work, request.value))
        work.emit(SecretChanged(key=key, version=sealed.version), key=f"{work.call.workspace_id}/{key}")
        return _message(row, _keys(work), work.now)

    async def _seal(self, work: UnitOfWork, key: str, version: int, value: str) -> Sealed:
        workspace_id, data_key_id = work.call.workspace_id, ids.new_id()
        data_key, wrapped = await self._envelopes.new_data_key(workspace_id, data_key_id)
        ciphertext = envelope.seal_value(data_key, value, Place(workspace_id, key, version))
        return Sealed(version, DataKey(data_key_id, wrapped), ciphertext)

    async def _open(self, work: UnitOfWork, key: str, sealed: Sealed) -> str:
        workspace_id = work.call.workspace_id
        data_key = await self._envelopes.open_data_key(workspace_id, sealed.data_key.id, sealed.data_key.wrapped)
        return envelope.open_value(data_key, sealed.ciphertext, Place(workspace_id, key, sealed.version))

    async def _fingerprint(self, work: UnitOfWork, value: str) -> str:
        workspace_id = work.call.workspace_id
        known = await store.fingerprint_key(work)
        if known is not None:
            data_key = await self._envelopes.open_data_key(workspace_id, known.id, known.wrapped)
        else:
            data_key_id = ids.new_id()
            data_key, wrapped = await self._envelopes.new_data_key(workspace_id, data_key_id)
            await store.add_fingerprint_key(work, DataKey(data_key_id, wrapped))
        return envelope.fingerprint(data_key, value)


def _keys(session: Session) -> tuple[SecretKey, ...]:
    return PLATFORM_SECRETS if session.call.workspace_id == PLATFORM_WORKSPACE else WORKSPACE_SECRETS


async def _page(request: Any, session: Session) -> ListSecretsResponse:
    listing = Listing.of(request, Secret.DESCRIPTOR)
    keys, now = _keys(session), clock.now()
    rows, total = await store.page(session, listing, [each for each in keys if not each.is_family])
    return ListSecretsResponse(**listing.answer([_message(row, keys, now) for row in rows], total))


def _message(row: Any, keys: tuple[SecretKey, ...], now: datetime) -> Secret:
    known = find(row["key"], keys)
    rotated_at = row["rotated_at"]
    return Secret(
        key=row["key"],
        description=known.description if known else "",
        used_by=known.used_by if known else (),
        version=row["version"],
        fingerprint=row["fingerprint"],
        created_at=row["created_at"],
        rotated_at=rotated_at,
        rotated_by=row["rotated_by"],
        age_days=(now - rotated_at).days if rotated_at else None,
        last_used_at=row["last_used_at"],
        last_used_by=row["last_used_by"],
    )
