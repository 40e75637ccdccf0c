"""What the health of assets takes and answers."""

from services.agent_runtime.reasoners.schemas import (
    document,
    identifier,
    nullable,
    record,
    several,
    text,
    whole,
    word,
)

_SCORE = whole("Health, 0 to 100.", minimum=0, maximum=100)
_COUNT = whole("How many.", minimum=0)
_BANDS = ("critical", "poor", "fair", "good")

HEALTH_INPUT = document(
    record(
        "Which assets to judge.",
        optional=("clientId",),
        clientId=identifier("Those of this client. Default: of all, the first 800."),
    )
)
HEALTH_OUTPUT = document(
    record(
        "How well assets are.",
        asOf=text("When this was so."),
        assetsJudged=_COUNT,
        outOfUse=whole("Assets that are ordered, retired or disposed of, and not judged.", minimum=0),
        meanScore=nullable(whole("Mean of the scores; null without assets.", minimum=0, maximum=100)),
        counts=record("Assets by band.", critical=_COUNT, poor=_COUNT, fair=_COUNT, good=_COUNT),
        assets=several(
            "The first 200, the worst first.",
            record(
                "An asset.",
                assetId=identifier("The asset."),
                name=text("Its name."),
                clientId=identifier("Whose it is."),
                type=nullable(text("What it is.")),
                score=_SCORE,
                band=word("Good: 80 and above. Fair: 60. Poor: 40.", *_BANDS),
                faults=several(
                    "What is wrong with it, what costs most first.",
                    record(
                        "Something wrong.",
                        rule=text("The rule that saw it."),
                        points=whole("What it costs of 100.", minimum=0),
                        reason=text("What was seen."),
                    ),
                ),
            ),
            maxItems=200,
        ),
    )
)
