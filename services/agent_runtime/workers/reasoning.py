"""What a worker does with a request: lets the reasoner reason, and holds its result against its schema."""

import importlib
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from services.agent_runtime.reasoners import REASONERS
from services.agent_runtime.reasoners.reasoner import Reasoner

_LONGEST_DETAIL = 500

Json = dict[str, Any]


def load(*modules: str) -> dict[str, Reasoner]:
    """The built-in reasoners, and those of further modules, by their full names."""
    found = dict(REASONERS)
    for name in modules:
        extra: Mapping[str, Reasoner] = importlib.import_module(name).REASONERS
        found |= extra
    return found


def reason(reasoner: Reasoner, given: Json, data: Json) -> Json:
    """The answer to the service: `output`, `evidence` and `proposals`, or `failure` and `detail`. Raises whatever the
    reasoner raises."""
    result = reasoner.reason(given, data)
    if problem := output_problem(result.output, reasoner.output_schema):
        return {"failure": "output_invalid", "detail": problem}
    proposals = [
        {"action": each.action, "parameters": each.parameters, "summary": each.summary} for each in result.proposals
    ]
    return {"output": result.output, "evidence": result.evidence, "proposals": proposals}


def output_problem(output: Any, schema: Json) -> str | None:
    """Where and how an output breaks its schema first, in a line; None when it does not."""
    error = next(iter(Draft202012Validator(schema).iter_errors(output)), None)
    if error is None:
        return None
    said = " ".join(error.message.split())
    return f"{error.json_path}: {said}"[:_LONGEST_DETAIL].replace("\0", "").encode(errors="replace").decode()
