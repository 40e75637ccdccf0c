"""What billing's reasoners take and answer."""

from services.agent_runtime.reasoners.billing.dunning import BANDS, STEPS
from services.agent_runtime.reasoners.schemas import (
    REASONS,
    amount,
    document,
    flag,
    identifier,
    nullable,
    record,
    several,
    text,
    whole,
    word,
)

_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DECIMAL = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"

DRAFT_INVOICE_INPUT = document(
    record(
        "Which work to bill.",
        optional=("from", "to"),
        clientId=identifier("The client."),
        **{
            "from": text("Work of this day (UTC) and later. Default: all that no invoice has.", pattern=_DAY),
            "to": text("Work of this day (UTC) and before. Default: today.", pattern=_DAY),
        },
    )
)
DRAFT_INVOICE_OUTPUT = document(
    record(
        "An invoice as it would be drafted.",
        clientId=identifier("The client."),
        currency=nullable(text("The currency of all amounts; null without lines.")),
        refused=nullable(
            record(
                "Why there is none.",
                code=word("The reason in a word.", "mixed-currencies", "no-rate", "period", "too-many-entries"),
                reason=text("The reason in a sentence."),
            )
        ),
        lines=several(
            "As POST /invoices takes them, in the order of the tickets.",
            record(
                "Work at one price.",
                description=text("The ticket, and what is special about the hours.", minLength=1, maxLength=500),
                quantity=text("Hours.", pattern=_DECIMAL),
                unitPrice=text("Price of an hour.", pattern=_DECIMAL),
                taxPercent=nullable(text("The tax of the contract's own lines, where all have the same.")),
                timeEntryIds=several("The entries that it bills.", identifier("A time entry."), maxItems=1000),
            ),
            maxItems=500,
        ),
        subtotal=amount("Before tax."),
        taxTotal=amount("The tax."),
        total=amount("What it comes to."),
        entries=whole("Time entries that it bills.", minimum=0),
        minutes=whole("Minutes of work in it.", minimum=0),
        includedMinutes=whole("Those of them that a contract includes, at no cost.", minimum=0),
        leftOut=several(
            "Entries of the period that are not billed.",
            record("An entry.", timeEntryId=identifier("The entry."), reason=text("Why not.")),
        ),
        complete=flag("Whether all of the client's work was read."),
        notes=several("What whoever decides should know.", text("A note.")),
    )
)

DUNNING_INPUT = document(
    record(
        "Whom to look at.",
        optional=("clientId",),
        clientId=identifier("This client alone. Default: all."),
    )
)
DUNNING_OUTPUT = document(
    record(
        "Who is late.",
        asOf=text("The day (UTC)."),
        accounts=several(
            "One for each client and currency, the oldest debt first.",
            record(
                "What a client owes in a currency.",
                clientId=identifier("The client."),
                clientName=text("Its name."),
                currency=text("The currency."),
                total=amount("What is past due and not paid."),
                oldestDays=whole("For how many days the oldest invoice has been due.", minimum=1),
                band=word("The band of the oldest, in days.", *BANDS),
                step=word("What to do.", *STEPS),
                call=record(
                    "Whom to call: who gets the invoices, else the primary contact, else the company.",
                    contactId=nullable(identifier("The contact.")),
                    name=nullable(text("The name.")),
                    phone=nullable(text("The number.")),
                    email=nullable(text("The address.")),
                ),
                subject=text("Of a letter that fits the step."),
                body=text("Of that letter."),
                invoices=several(
                    "The oldest first.",
                    record(
                        "An invoice.",
                        invoiceId=identifier("The invoice."),
                        number=text("Its number."),
                        dueOn=text("Its last day to pay."),
                        daysOverdue=whole("Days since.", minimum=1),
                        balance=amount("What is still to be paid."),
                        band=word("Its band, in days.", *BANDS),
                    ),
                ),
                reasons=REASONS,
            ),
        ),
        totals=several(
            "By currency.",
            record(
                "A currency.",
                currency=text("The currency."),
                total=amount("All that is past due in it."),
                bands=several(
                    "By age.", record("A band.", band=word("In days.", *BANDS), amount=amount("What is past due."))
                ),
            ),
        ),
        invoices=whole("Invoices that are past due.", minimum=0),
    )
)
