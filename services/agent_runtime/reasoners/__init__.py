"""The reasoners that are built in: rules and counting, no model. The same rows give the same answer.

Worker processes import them, so nothing here may import a database or a network.
"""

from collections.abc import Mapping

from services.agent_runtime.reasoners import assets, billing, sla, triage
from services.agent_runtime.reasoners.reasoner import OpsReader, ProposedAction, Question, Reasoner, Result
from services.agent_runtime.reasoners.smoke import ECHO

__all__ = ["REASONERS", "OpsReader", "ProposedAction", "Question", "Reasoner", "Result"]

REASONERS: Mapping[str, Reasoner] = {
    each.full_name: each for each in (ECHO, *triage.REASONERS, *sla.REASONERS, *billing.REASONERS, *assets.REASONERS)
}
