"""SLA: which promises are at risk."""

from services.agent_runtime.reasoners.reasoner import Reasoner
from services.agent_runtime.reasoners.sla import forecast, reading, schemas

REASONERS = (
    Reasoner(
        agent="sla",
        name="forecast",
        description="Finds which open tickets will break what was promised, and why.",
        input_schema=schemas.FORECAST_INPUT,
        output_schema=schemas.FORECAST_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_forecast,
        reason=forecast.reason,
    ),
)
