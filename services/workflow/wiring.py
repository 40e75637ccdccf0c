"""What the workflow service consists of."""

from collections.abc import Mapping

from kit import contract
from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler, bind, bind_service
from kit.wiring import Foundation, Wire, Wiring
from services.workflow.audit.consumers import subscription as privileged_actions
from services.workflow.audit.handlers import AuditHandlers
from services.workflow.audit.sealer import AuditKey, sealing_sweep
from services.workflow.callbacks.handlers import CallbackHandlers
from services.workflow.consumers import subscription as runtime
from services.workflow.executions.deadlines import deadline_sweep
from services.workflow.executions.handlers import ExecutionHandlers
from services.workflow.proposals.apply import proposal_sweep
from services.workflow.proposals.ops_client import OpsClient
from services.workflow.reasoners import Reasoners
from services.workflow.settings import Settings
from services.workflow.summary.handlers import SummaryHandlers
from services.workflow.triggers.consumer import subscription as triggers
from services.workflow.triggers.kind import TRIGGERS

NAME = "workflow"

_SUMMARY = "GetExecutionSummary"


def handlers(reasoners: Reasoners) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    return {
        **_executions(ExecutionHandlers(reasoners), SummaryHandlers()),
        **bind_service(NAME, "AuditService", AuditHandlers()),
        **bind_service(NAME, "CallbackService", CallbackHandlers()),
        **ResourceHandlers(TRIGGERS, (TRIGGERS,)).by_path(),
    }


def wire(settings: Settings) -> Wire:
    """What `python -m services.workflow` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        database, relay_url, on_commit = foundation.database, foundation.relay_url, foundation.on_commit
        reasoners = Reasoners(foundation.services)
        deadlines = deadline_sweep(database, relay_url, on_commit)
        proposals = proposal_sweep(database, relay_url, on_commit, OpsClient(foundation.services))
        sealing = sealing_sweep(database, relay_url, AuditKey.from_file(settings.audit_key_file))
        return Wiring(
            handlers=handlers(reasoners),
            subscriptions=(runtime(foundation.settings), triggers(reasoners), privileged_actions()),
            loops=(deadlines.run, proposals.run, sealing.run),
        )

    return put_together


def _executions(executions: object, summary: object) -> dict[str, Handler]:
    rpcs = [rpc for rpc in contract.owned_by(NAME) if rpc.descriptor.containing_service.name == "ExecutionService"]
    return {
        **bind([rpc for rpc in rpcs if rpc.name != _SUMMARY], executions),
        **bind([rpc for rpc in rpcs if rpc.name == _SUMMARY], summary),
    }
