"""What took place becomes credentials that anybody can verify, by the service that runs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from devstack.stack import Stack
from kit.errors import NotFound
from opsfield.common.v1.page_pb2 import ASC
from opsfield.platform.v1.settings_pb2 import (
    GetWorkspaceSettingsRequest,
    ReplaceWorkspaceSettingsRequest,
    WorkspaceSettings,
)
from opsfield.workflow.v1.audit_pb2 import (
    AuditCheckpoint,
    AuditCredential,
    GetAuditCheckpointRequest,
    ListAuditCredentialsRequest,
)
from opsfield.workflow.v1.executions_pb2 import Execution
from services.workflow.audit.credential import NotVerified
from services.workflow.audit.sealer import AuditKey
from services.workflow.audit.verify import verify_trail
from services.workflow.tests.caller import Caller
from services.workflow.tests.runtime import Runtime, proposal
from tests.callers import eventually


async def credentials(workflow: Caller, **query: Any) -> list[AuditCredential]:
    request = ListAuditCredentialsRequest(sort_by="position", sort_order=ASC, limit=200, **query)
    return list((await workflow.call("ListAuditCredentials", request)).data)


async def sealed(workflow: Caller, count: int) -> list[AuditCredential]:
    """All credentials, once there are so many."""

    async def look() -> list[AuditCredential]:
        found = await credentials(workflow)
        return found if len(found) >= count else []

    found: list[AuditCredential] = await eventually(look)
    assert len(found) == count
    return found


async def checkpoint(workflow: Caller) -> AuditCheckpoint:
    found: AuditCheckpoint = await workflow.call("GetAuditCheckpoint", GetAuditCheckpointRequest())
    return found


def said(credential: AuditCredential, stack: Stack) -> dict[str, Any]:
    key = load_pem_private_key(stack.layout.audit_key.read_bytes(), password=None)
    payload: dict[str, Any] = jwt.decode(credential.jwt, key.public_key(), algorithms=["EdDSA"])  # type: ignore[arg-type]
    subject: dict[str, Any] = payload["credentialSubject"]
    return subject


async def test_ends_and_decisions_are_credentials_that_verify_offline(
    workflow: Caller, runtime: Runtime, workspace: str, stack: Stack
) -> None:
    done, held = await workflow.execute(), await workflow.execute({"ticketId": "t-2"})
    await runtime.finish(done, output={"priority": "high"}, evidence={"rows": [1]})
    await runtime.finish(held, proposal("COMMENT_TICKET", id="x", body="b"), output={}, evidence={})
    done = await workflow.until(done, Execution.SUCCEEDED)
    held = await workflow.until(held, Execution.APPROVAL_REQUIRED)
    await workflow.decide(held, "REJECTED")
    found = await sealed(workflow, 3)
    assert [each.position for each in found] == [0, 1, 2]
    assert {(each.kind, each.subject_id) for each in found} == {
        (AuditCredential.EXECUTION, done.id),
        (AuditCredential.DECISION, held.id),
        (AuditCredential.EXECUTION, held.id),
    }
    of_done = said(next(each for each in found if each.subject_id == done.id), stack)
    assert (of_done["inputDigest"], of_done["outputDigest"], of_done["evidenceDigest"]) == (
        done.input_ref,
        done.output_ref,
        done.evidence_ref,
    )
    assert (of_done["status"], of_done["workspace"], of_done["requestedBy"]) == ("succeeded", workspace, "ada")
    decision = said(next(each for each in found if each.kind == AuditCredential.DECISION), stack)
    assert (decision["decision"]["verdict"], decision["decidedBySubject"]) == ("rejected", "ada")

    signed = await checkpoint(workflow)
    assert signed.issuer == AuditKey.from_file(stack.layout.audit_key).did
    tokens = [each.jwt for each in found]
    verified = verify_trail(json.dumps({"credentials": tokens, "checkpoint": signed.note}), [signed.issuer])
    assert (verified.workspace_id, verified.credentials) == (workspace, 3)
    with pytest.raises(NotVerified):
        verify_trail(json.dumps({"credentials": tokens[:2], "checkpoint": signed.note}), [signed.issuer])


async def test_a_privileged_action_of_another_service_is_a_credential(
    workflow: Caller, platform: Caller, stack: Stack
) -> None:
    document = await platform.call("GetWorkspaceSettings", GetWorkspaceSettingsRequest())
    changed = WorkspaceSettings()
    changed.CopyFrom(document.settings)
    changed.service_desk.reopen_days = 7
    await platform.call("ReplaceWorkspaceSettings", ReplaceWorkspaceSettingsRequest(settings=changed))
    [found] = await sealed(workflow, 1)
    subject = said(found, stack)
    assert found.kind == AuditCredential.PRIVILEGED_ACTION
    assert subject["operation"] == "/opsfield.platform.v1.SettingsService/ReplaceWorkspaceSettings"
    assert (subject["subject"], subject["roles"]) == ("ada", ["data_admin"])


async def test_many_at_once_are_one_chain(workflow: Caller, runtime: Runtime) -> None:
    executions = await asyncio.gather(*(workflow.execute({"ticketId": f"t-{n}"}) for n in range(30)))
    await asyncio.gather(*(runtime.finish(each, output={}, evidence={}) for each in executions))
    found = await sealed(workflow, 30)
    signed = await checkpoint(workflow)
    exported = json.dumps({"credentials": [each.jwt for each in found], "checkpoint": signed.note})
    assert verify_trail(exported, [signed.issuer]).credentials == 30


async def test_what_is_sealed_cannot_be_changed(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]", stack: Stack
) -> None:
    execution = await workflow.execute()
    await runtime.finish(execution, output={}, evidence={})
    await sealed(workflow, 1)
    app = await asyncpg.connect(stack.database_url("workflow"))
    try:
        for statement, error in (
            ("UPDATE audit_records SET claims = '{}'", asyncpg.RaiseError),
            ("UPDATE audit_records SET position = NULL, jwt = NULL, digest = NULL", asyncpg.RaiseError),
            ("DELETE FROM audit_records", asyncpg.InsufficientPrivilegeError),
            ("DELETE FROM audit_chains", asyncpg.InsufficientPrivilegeError),
            ("UPDATE audit_checkpoints SET size = 0", asyncpg.InsufficientPrivilegeError),
        ):
            with pytest.raises(error):
                await app.execute(f"BEGIN; SET LOCAL opsfield.workspace_id = '{workspace}'; {statement}")
            await app.execute("ROLLBACK")
    finally:
        await app.close()


async def test_a_workspace_sees_its_own_trail_alone(workflow: Caller, runtime: Runtime) -> None:
    execution = await workflow.execute()
    await runtime.finish(execution, output={}, evidence={})
    await sealed(workflow, 1)
    elsewhere = workflow.of("another-workspace-of-the-trail")
    assert await credentials(elsewhere) == []
    with pytest.raises(NotFound):
        await checkpoint(elsewhere)
    assert await credentials(workflow, subject_id=execution.id, kind=AuditCredential.EXECUTION)
    assert await credentials(workflow, q="no such word") == []


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("nothing")
    with pytest.raises(ValueError, match=r"."):
        AuditKey.from_file(file)
