"""The reasoner that tells whether executions run at all."""

from services.agent_runtime.reasoners.reasoner import Json, Reasoner, Result


def echo(given: Json, data: Json) -> Result:
    """Gives back its input."""
    del data
    return Result(output={"echo": given}, evidence={})


ECHO = Reasoner(
    agent="smoke",
    name="echo",
    description="Gives back its input: to see that executions run.",
    input_schema={"type": "object"},
    output_schema={
        "type": "object",
        "properties": {"echo": {"type": "object"}},
        "required": ["echo"],
        "additionalProperties": False,
    },
    timeout_seconds=10,
    most_tries=3,
    gather=None,
    reason=echo,
)
