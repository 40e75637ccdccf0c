"""What triage's reasoners take and answer."""

from services.agent_runtime.reasoners.schemas import (
    REASONS,
    Schema,
    document,
    flag,
    identifier,
    nullable,
    record,
    several,
    share,
    text,
    whole,
    word,
)

_PRIORITIES = ("low", "medium", "high", "critical")
_TICKET = record("The ticket.", ticketId=identifier("The ticket's id."))


def _judged(description: str, value: Schema, current: Schema) -> Schema:
    return record(
        description,
        value=value,
        current=current,
        confidence=share("How sure it is."),
        reasons=REASONS,
    )


CLASSIFY_INPUT = document(_TICKET)
CLASSIFY_OUTPUT = document(
    record(
        "How a ticket is judged.",
        ticketId=identifier("The ticket."),
        number=text("The number people say."),
        confidence=share("How sure the three judgements are, as a mean."),
        category=_judged(
            "What it is about, in the provider's own words.",
            nullable(text("The category; null where nothing tells.")),
            nullable(text("The category it has.")),
        ),
        priority=_judged(
            "What follows from impact and urgency.",
            word("The priority.", *_PRIORITIES),
            nullable(text("The priority it has.")),
        ),
        tier=_judged(
            "The level of support that usually solves it.",
            whole("The level.", minimum=1, maximum=3),
            nullable(whole("The level it has.")),
        ),
        tags=several("Tags that it should have.", text("A tag.")),
        impact=record(
            "Who is hindered, and how.",
            level=word("All, several or one.", "wide", "several", "one"),
            urgency=word("How much it hurries.", "low", "medium", "high"),
            peopleNamed=nullable(whole("How many people it speaks of.", minimum=0)),
            contactsOfClient=whole("People at the client who are known, at most 200.", minimum=0),
            assetsOfClient=whole("Assets of the client, at most 200.", minimum=0),
            services=several("What business stands on, as far as it is named.", text("A service.")),
            reasons=REASONS,
        ),
        similar=several(
            "Solved tickets like it, the most alike first.",
            record(
                "A solved ticket.",
                ticketId=identifier("The ticket."),
                number=text("Its number."),
                subject=text("Its subject."),
                resolution=text("How it was solved."),
                likeness=share("Cosine of the two texts (TF-IDF)."),
                sameClient=flag("Whether it is of the same client."),
                sharedTerms=several("The terms that make them alike, the weightiest first.", text("A term.")),
            ),
        ),
    )
)

CORRELATE_INPUT = document(
    record(
        "Which alerts to look at.",
        optional=("alertIds",),
        alertIds=several(
            "These alone. Default: all that fire or are acknowledged.",
            identifier("An alert."),
            minItems=1,
            maxItems=200,
            uniqueItems=True,
        ),
    )
)
CORRELATE_OUTPUT = document(
    record(
        "Alerts that belong together.",
        groups=several(
            "Groups of two and more, the largest first.",
            record(
                "Alerts that seem to have one cause.",
                alertIds=several("The alerts, the earliest first.", identifier("An alert.")),
                clientIds=several("The clients that are affected.", identifier("A client.")),
                title=text("What an incident of them would be called."),
                severity=word("How severe an incident of them would be.", "sev1", "sev2", "sev3", "sev4"),
                score=share("How sure it is that they are one: the mean of the links that hold them together."),
                startedAt=nullable(text("When the first of them began.")),
                likelyCauseAlertId=nullable(identifier("The alert to look at first.")),
                incidentId=nullable(identifier("The incident that has one of them already.")),
                reasons=REASONS,
            ),
        ),
        alone=several("Alerts that belong to no group.", identifier("An alert.")),
        leftOut=several(
            "Alerts that were asked for, but neither fire nor are acknowledged, or are not among the latest 600.",
            identifier("An alert."),
        ),
        alertsConsidered=whole("How many alerts were compared.", minimum=0),
    )
)

SUGGEST_RUNBOOK_INPUT = document(_TICKET)
SUGGEST_RUNBOOK_OUTPUT = document(
    record(
        "Runbooks that may help.",
        ticketId=identifier("The ticket."),
        number=text("The number people say."),
        clearWinner=flag("Whether the first is like enough, and well ahead of the second."),
        suggestions=several(
            "At most five, the best first.",
            record(
                "A published runbook.",
                runbookId=identifier("The runbook."),
                title=text("Its title."),
                category=nullable(text("Its category.")),
                score=share("How well it fits: likeness, category, tags and habit."),
                likeness=share("Cosine of the texts (TF-IDF)."),
                linked=flag("Whether it is linked to the ticket already."),
                requiredRole=nullable(text("The role that running it needs.")),
                sharedTerms=several("The terms that make them alike, the weightiest first.", text("A term.")),
                reasons=REASONS,
            ),
            maxItems=5,
        ),
        runbooksConsidered=whole("How many published runbooks there were, at most 600.", minimum=0),
    )
)
