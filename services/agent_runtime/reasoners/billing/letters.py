"""What is written to those who have not paid: one text for each step. Pure."""

from collections.abc import Mapping, Sequence

# Sender and signature are added by whoever sends it.
SUBJECTS: Mapping[str, str] = {
    "reminder": "A reminder: {invoices}",
    "second_reminder": "Second reminder: {invoices} past due",
    "final_notice": "Final notice: {invoices}",
    "escalation": "Overdue account: {invoices}",
}
BODIES: Mapping[str, str] = {
    "reminder": (
        "Dear {name},\n\nPerhaps it slipped through: by our books the following is still open.\n\n{lines}\n\n"
        "Total: {total}\n\nIf you have paid meanwhile, please ignore this. If something is wrong with an invoice, tell "
        "us and we will look at it.\n"
    ),
    "second_reminder": (
        "Dear {name},\n\nThe following is past due, and we have not received a payment or heard from you.\n\n"
        "{lines}\n\nTotal: {total}\n\nPlease pay within seven days, or tell us when we may expect it.\n"
    ),
    "final_notice": (
        "Dear {name},\n\nDespite our reminders the following is still unpaid.\n\n{lines}\n\nTotal: {total}\n\nPlease "
        "pay within seven days. Without a payment or an agreement by then we have to consider pausing our services.\n"
    ),
    "escalation": (
        "Dear {name},\n\nThe oldest of the following has been due for more than sixty days.\n\n{lines}\n\n"
        "Total: {total}\n\nWe would like to find a solution with you before we take further steps, and will call you "
        "about it.\n"
    ),
}


def letter(step: str, *, name: str, numbers: Sequence[str], lines: Sequence[str], total: str) -> tuple[str, str]:
    """Subject and body of a step's letter."""
    invoices = f"invoice {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} invoices"
    body = BODIES[step].format(name=name, lines="\n".join(lines), total=total)
    return SUBJECTS[step].format(invoices=invoices), body
