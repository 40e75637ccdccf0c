"""What the forecast takes and answers."""

from services.agent_runtime.reasoners.schemas import (
    REASONS,
    document,
    identifier,
    nullable,
    record,
    several,
    share,
    text,
    whole,
    word,
)

_PROMISE = word("What was promised.", "first_response", "resolution")
_COUNT = whole("How many.", minimum=0)

FORECAST_INPUT = document(
    record(
        "What to look at.",
        optional=("clientId", "hours"),
        clientId=identifier("Tickets of this client alone. Default: of all."),
        hours=whole("How far to look ahead. Default: 8.", minimum=1, maximum=168),
    )
)
FORECAST_OUTPUT = document(
    record(
        "Promises that are due soon.",
        asOf=text("When this was so."),
        until=text("How far was looked ahead."),
        openTickets=whole("Open tickets that were looked at.", minimum=0),
        dueSoon=whole("Promises that are due by then, or were already.", minimum=0),
        counts=record("Of those, by risk.", overdue=_COUNT, high=_COUNT, medium=_COUNT, low=_COUNT),
        risks=several(
            "The first 200: those that can still be kept, the likeliest to be broken first; then those overdue.",
            record(
                "A promise that is due.",
                ticketId=identifier("The ticket."),
                number=text("Its number."),
                subject=text("Its subject."),
                clientId=identifier("Its client."),
                priority=nullable(text("Its priority.")),
                status=text("Its state."),
                assigneeId=nullable(text("Who is assigned; null: nobody.")),
                promise=_PROMISE,
                dueAt=text("When it is due."),
                minutesLeft=whole("Until then, on the wall clock; below 0 when that has passed."),
                probability=share("How likely it is broken."),
                band=word(
                    "Overdue: its time has passed. High: 0.6 and above. Medium: 0.25 and above.",
                    "overdue",
                    "high",
                    "medium",
                    "low",
                ),
                reasons=REASONS,
            ),
            maxItems=200,
        ),
        paused=several(
            "Promises whose clock stands still; at most 200.",
            record(
                "A promise.",
                ticketId=identifier("The ticket."),
                number=text("Its number."),
                promise=_PROMISE,
                status=text("What it waits for."),
                businessMinutesLeft=nullable(whole("Business minutes once the clock runs again.", minimum=0)),
            ),
            maxItems=200,
        ),
        load=several(
            "Who has how much, the most first.",
            record(
                "A technician.",
                assigneeId=nullable(text("Who; null: tickets that nobody has.")),
                openTickets=_COUNT,
                dueSoon=_COUNT,
            ),
        ),
        history=several(
            "How long solutions took, on the wall clock.",
            record(
                "A priority.",
                priority=text("The priority."),
                solved=whole("Solved tickets that were looked at.", minimum=0),
                medianMinutes=nullable(whole("Half took no longer.")),
                ninthDecileMinutes=nullable(whole("Nine of ten took no longer.")),
            ),
        ),
    )
)
