"""What the telemetry service consists of."""

from kit.rpc import bind_service
from kit.wiring import Foundation, Wiring
from services.telemetry.agents.handlers import AgentHandlers
from services.telemetry.detection.silence import SilenceSweep
from services.telemetry.edge_policies.effective import Policies
from services.telemetry.edge_policies.handlers import EdgePolicyHandlers
from services.telemetry.edge_policies.kind import EDGE_POLICIES
from services.telemetry.enrollment.handlers import EnrollmentHandlers
from services.telemetry.fleet.handlers import FleetHandlers
from services.telemetry.ingest.handlers import IngestHandlers
from services.telemetry.ops_client import OpsClient
from services.telemetry.retention import RetentionSweep

NAME = "telemetry"


def wire(foundation: Foundation) -> Wiring:
    """What `python -m services.telemetry` serves."""
    policies = Policies()
    silence = SilenceSweep(foundation.database, foundation.relay_url, foundation.on_commit, policies=policies)
    retention = RetentionSweep(foundation.relay_url, foundation.settings)
    return Wiring(
        handlers={
            **bind_service(
                NAME, "EnrollmentService", EnrollmentHandlers(OpsClient(foundation.services), foundation.tokens)
            ),
            **bind_service(NAME, "AgentService", AgentHandlers()),
            **bind_service(NAME, "IngestService", IngestHandlers(foundation.settings, policies)),
            **EdgePolicyHandlers(EDGE_POLICIES, (EDGE_POLICIES,), policies).by_path(),
            **bind_service(NAME, "FleetService", FleetHandlers()),
        },
        loops=(silence.run, retention.run),
    )
