"""The reasoners that are built in: rules and counting, no model. The same rows give the same answer."""

from collections.abc import Mapping

from services.agent_runtime.reasoners import assets, billing, sla, triage
from services.agent_runtime.reasoners.reasoner import OpsReader, ProposedAction, Reasoner, Result

__all__ = ["REASONERS", "OpsReader", "ProposedAction", "Reasoner", "Result"]

REASONERS: Mapping[str, Reasoner] = {
    each.full_name: each for each in (*triage.REASONERS, *sla.REASONERS, *billing.REASONERS, *assets.REASONERS)
}
