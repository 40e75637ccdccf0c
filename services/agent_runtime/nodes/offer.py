"""What a node offers: its reasoners and skills. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from services.agent_runtime.reasoners.reasoner import Description

Json = dict[str, Any]
ANYTHING: Json = {"type": "object"}


@dataclass(frozen=True)
class Offer:
    """`kind`: `reasoner` or `skill`, which are called at other paths. The schemas are such as can be used
    (schemas.py); `result_schema` is of what the node itself returns, None where nothing is known of it."""

    name: str
    kind: str
    description: str
    input_schema: Json
    result_schema: Json | None

    def to_json(self) -> Json:
        return asdict(self)

    def described(self, agent: str, *, timeout_seconds: int, most_tries: int) -> Description:
        return Description(
            agent=agent,
            name=self.name,
            description=self.description,
            input_schema=self.input_schema,
            output_schema=output_schema(self.result_schema),
            timeout_seconds=timeout_seconds,
            most_tries=most_tries,
        )


def output_schema(result_schema: Json | None) -> Json:
    """The schema of an execution's output: what is no object comes as `{"value": …}`."""
    if result_schema is None or result_schema.get("type") == "object":
        return result_schema or ANYTHING
    return {"type": "object", "properties": {"value": result_schema}, "required": ["value"]}
