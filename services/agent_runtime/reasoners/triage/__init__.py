"""Triage: what comes in is judged, brought together, and given to whoever can help."""

from services.agent_runtime.reasoners.reasoner import Reasoner
from services.agent_runtime.reasoners.triage import classify, correlate, questions, reading, runbooks, schemas

REASONERS = (
    Reasoner(
        agent="triage",
        name="classify",
        description="Judges a ticket's category, priority and level, and finds how tickets like it were solved.",
        input_schema=schemas.CLASSIFY_INPUT,
        output_schema=schemas.CLASSIFY_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_classify,
        reason=classify.reason,
        question=questions.classify,
    ),
    Reasoner(
        agent="triage",
        name="correlate",
        description="Finds which alerts are one incident, and why.",
        input_schema=schemas.CORRELATE_INPUT,
        output_schema=schemas.CORRELATE_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_correlate,
        reason=correlate.reason,
    ),
    Reasoner(
        agent="triage",
        name="suggest_runbook",
        description="Finds the published runbooks that help with a ticket.",
        input_schema=schemas.SUGGEST_RUNBOOK_INPUT,
        output_schema=schemas.SUGGEST_RUNBOOK_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_suggest_runbook,
        reason=runbooks.reason,
        question=questions.suggest_runbook,
    ),
)
