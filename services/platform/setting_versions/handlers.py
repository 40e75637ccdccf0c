"""SettingsService."""

from typing import Any

from google.protobuf.message import Message

from kit import setting_keys
from kit.call import PLATFORM_WORKSPACE, Call
from kit.database import Database, Session
from kit.errors import NotFound, PreconditionFailed
from kit.identity import Principal
from kit.live_settings import Fetch
from kit.unit_of_work import UnitOfWork
from opsfield.platform.v1 import settings_pb2
from opsfield.platform.v1.settings_pb2 import (
    FetchSettingsResponse,
    PlatformSettings,
    PlatformSettingsDocument,
    SettingsChanged,
    WorkspaceSettings,
    WorkspaceSettingsDocument,
)
from services.platform.setting_versions import rules, store
from services.platform.setting_versions.store import Version


class SettingsHandlers:
    """The same for the platform and for workspaces: the rows differ by the session's workspace alone."""

    async def get_platform_settings(
        self, request: settings_pb2.GetPlatformSettingsRequest, session: Session
    ) -> PlatformSettingsDocument:
        return PlatformSettingsDocument(**_document(await _get(request, session, PlatformSettings)))

    async def get_workspace_settings(
        self, request: settings_pb2.GetWorkspaceSettingsRequest, session: Session
    ) -> WorkspaceSettingsDocument:
        return WorkspaceSettingsDocument(**_document(await _get(request, session, WorkspaceSettings)))

    async def replace_platform_settings(
        self, request: settings_pb2.ReplacePlatformSettingsRequest, work: UnitOfWork
    ) -> PlatformSettingsDocument:
        return PlatformSettingsDocument(**_document(await _replace(request.settings, work)))

    async def replace_workspace_settings(
        self, request: settings_pb2.ReplaceWorkspaceSettingsRequest, work: UnitOfWork
    ) -> WorkspaceSettingsDocument:
        return WorkspaceSettingsDocument(**_document(await _replace(request.settings, work)))

    async def fetch_settings(
        self, _request: settings_pb2.FetchSettingsRequest, session: Session
    ) -> FetchSettingsResponse:
        return await _fetch(session)


def own_settings(database: Database) -> Fetch:
    """How the platform service itself reads them."""

    async def fetch(workspace_id: str) -> FetchSettingsResponse:
        principal = Principal("service:platform", workspace_id=workspace_id, service="platform")
        async with database.read(Call("settings/fetch", principal, correlation_id="")) as session:
            return await _fetch(session)

    return fetch


async def _fetch(session: Session) -> FetchSettingsResponse:
    if session.call.workspace_id == PLATFORM_WORKSPACE:
        of_platform = await store.current(session, PlatformSettings)
        return FetchSettingsResponse(version=of_platform.number, platform=of_platform.settings)
    of_workspace = await store.current(session, WorkspaceSettings)
    return FetchSettingsResponse(version=of_workspace.number, workspace=of_workspace.settings)


async def _get(request: Any, session: Session, message: type[store.M]) -> Version[store.M]:
    if not request.HasField("version"):
        return await store.current(session, message)
    found = await store.version(session, message, request.version)
    if found is None:
        raise NotFound(f"There is no version {request.version} of these settings.")
    return found


async def _replace(settings: store.M, work: UnitOfWork) -> Version[store.M]:
    await store.lock(work)
    before = await store.current(work, type(settings))
    expected = work.call.expected_version
    if expected is not None and expected != before.number:
        raise PreconditionFailed(
            f"The settings have version {before.number} by now, not {expected}; read them again.", code="version-stale"
        )
    changed = setting_keys.changed(before.settings, settings)
    if not changed:
        return before
    rules.check_may_change(changed, work.call.principal.roles)
    after = await store.add(work, settings, before.number + 1)
    event = SettingsChanged(version=after.number, changed=[key.name for key in changed])
    work.emit(event, key=work.call.workspace_id)
    return after


def _document(version: Version[Message]) -> dict[str, Any]:
    return {
        "settings": setting_keys.with_defaults(version.settings),
        "overridden": setting_keys.overridden(version.settings),
        "version": version.number,
        "changed_at": version.changed_at,
        "changed_by": version.changed_by,
    }
