"""Assets: how well they are."""

from services.agent_runtime.reasoners.assets import health, reading, schemas
from services.agent_runtime.reasoners.reasoner import Reasoner

REASONERS = (
    Reasoner(
        agent="assets",
        name="health",
        description="Judges how well assets are, and finds which should be replaced.",
        input_schema=schemas.HEALTH_INPUT,
        output_schema=schemas.HEALTH_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_health,
        reason=health.reason,
    ),
)
