"""EnrollmentService."""

from datetime import timedelta
from typing import Any

from kit import clock, ids
from kit.bearer_tokens import BearerTokenIssuer
from kit.database import Session
from kit.errors import Forbidden, Unauthenticated
from kit.unit_of_work import UnitOfWork
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved, Inventory
from opsfield.telemetry.v1.enrollment_pb2 import (
    AgentCounts,
    AgentToken,
    EnrollAgentRequest,
    EnrolledAgent,
    Enrollment,
    EnrollmentToken,
    GetEnrollmentRequest,
    IssueAgentTokenRequest,
    NewEnrollmentToken,
    RotateEnrollmentTokenRequest,
)
from services.telemetry.agents import search
from services.telemetry.agents.revoking import revoke
from services.telemetry.enrollment import assertions, rules, store, tokens
from services.telemetry.ops_client import OpsClient

_USABLE = frozenset({"active", "superseded"})
_TOKEN_MINUTES = 60


class EnrollmentHandlers:
    """Enrollment tokens, enrollment, and the tokens of agents."""

    def __init__(self, ops: OpsClient, issuer: BearerTokenIssuer) -> None:
        self._ops = ops
        self._issuer = issuer

    async def get_enrollment(self, _request: GetEnrollmentRequest, session: Session) -> Enrollment:
        now = clock.now()
        found = await store.tokens(session)
        can_enroll = any(rules.state_of(each, now) in _USABLE for each in found)
        return Enrollment(
            state=Enrollment.OPEN if can_enroll else Enrollment.CLOSED,
            tokens=[_token(each, now) for each in found],
            agents=AgentCounts(**await store.agent_counts(session)),
            last_rotated_at=found[0]["created_at"] if found else None,
        )

    async def rotate_enrollment_token(
        self, request: RotateEnrollmentTokenRequest, work: UnitOfWork
    ) -> NewEnrollmentToken:
        site_id = request.site_id if request.HasField("site_id") else None
        await self._ops.check_place(work.call, request.client_id, site_id)
        grace = timedelta(minutes=request.grace_minutes) if request.HasField("grace_minutes") else rules.GRACE
        valid = timedelta(hours=request.valid_hours) if request.HasField("valid_hours") else rules.VALID
        await store.forget_tokens(work, expired_before=work.now - rules.KEPT)
        await store.supersede(work, request.client_id, site_id, until=work.now + grace)
        token = tokens.new_token(work.call.workspace_id)
        row = await store.add_token(
            work,
            ids.new_id(),
            tokens.hash_of(token),
            client_id=request.client_id,
            site_id=site_id,
            most_uses=request.most_uses if request.HasField("most_uses") else None,
            expires_at=work.now + valid,
        )
        work.audit(row["id"], None)
        return NewEnrollmentToken(token=token, enrollment_token=_token(row, work.now))

    async def enroll_agent(self, request: EnrollAgentRequest, work: UnitOfWork) -> EnrolledAgent:
        rules.check_public_key(request.public_key)
        hashed = tokens.hash_of(request.token)
        if not await store.is_known(work, hashed):
            raise _refused()
        known = await store.agent_by_key(work, request.public_key)
        if known is None:
            known = await self._add(request, work, hashed)
        elif known["state"] == "revoked":
            raise Forbidden("The agent's identity has ended: enroll with a new key.", code="agent-revoked")
        work.audit(known["id"], None)
        return EnrolledAgent(
            agent_id=known["id"],
            workspace_id=work.call.workspace_id,
            client_id=known["client_id"],
            site_id=known["site_id"],
            enrolled_at=known["created_at"],
        )

    async def issue_agent_token(self, request: IssueAgentTokenRequest, work: UnitOfWork) -> AgentToken:
        assertion = request.assertion.partition(".")[2]
        try:
            agent_id = assertions.named_agent(assertion)
            agent = await store.agent_by_id(work, agent_id)
            if agent is None:
                raise assertions.NotProven
            assertions.verify(assertion, agent_id, agent["public_key"])
        except assertions.NotProven as error:
            raise Unauthenticated("The assertion is not valid.") from error
        if agent["state"] == "revoked":
            raise Unauthenticated("The agent's identity has ended.", code="agent-revoked")
        minutes = request.valid_minutes if request.HasField("valid_minutes") else _TOKEN_MINUTES
        token, expires_at = self._issuer.issue(
            f"agent:{agent_id}",
            workspace_id=work.call.workspace_id,
            role="endpoint_agent",
            lifetime=timedelta(minutes=minutes),
            agent_id=agent_id,
        )
        return AgentToken(access_token=token, expires_at=expires_at)

    async def _add(self, request: EnrollAgentRequest, work: UnitOfWork, hashed: bytes) -> store.Row:
        place = await store.use_token(work, hashed)
        if place is None:
            raise _refused()
        hardware_id = _given(request, "hardware_id")
        replaced = await store.agents_of_hardware(work, place["client_id"], hardware_id) if hardware_id else []
        for each in replaced:
            await revoke(work, each, reason="the machine was enrolled anew")
        operating_system, version = _given(request, "operating_system"), _given(request, "agent_version")
        agent_id = ids.new_id()
        agent = store.NewAgent(
            id=agent_id,
            public_key=request.public_key,
            hardware_id=hardware_id,
            hostname=request.hostname,
            operating_system=operating_system,
            agent_version=version,
            client_id=place["client_id"],
            site_id=place["site_id"],
            enrollment_token_id=place["id"],
            search=search.text(agent_id, request.hostname, operating_system, version),
        )
        await store.add_agent(work, agent)
        # The asset is there before anything can be said about it.
        observed = AssetObserved(
            agent_id=agent_id,
            client_id=place["client_id"],
            site_id=place["site_id"],
            inventory=Inventory(hostname=request.hostname, operating_system=operating_system),
            replaces_agent_ids=replaced,
        )
        work.emit(observed, key=agent_id)
        return {**place, "id": agent_id, "created_at": work.now}


def _refused() -> Unauthenticated:
    """The same for every flaw, so that nobody learns which tokens there are."""
    return Unauthenticated("The enrollment token is not valid: unknown, expired or used up.", code="token-refused")


def _token(row: store.Row, now: Any) -> EnrollmentToken:
    values = {name: value for name, value in row.items() if name != "is_superseded"}
    return EnrollmentToken(state=rules.state_of(row, now).upper(), **values)


def _given(request: Any, name: str) -> str | None:
    return getattr(request, name) if request.HasField(name) else None
