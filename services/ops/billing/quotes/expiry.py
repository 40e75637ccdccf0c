"""Quotes whose last day has passed."""

from datetime import date

from kit.resources.handlers import ResourceHandlers
from kit.unit_of_work import UnitOfWork
from services.ops.billing.quotes import rules, store
from services.ops.billing.quotes.kind import QUOTES

_MOST = 100
_HANDLERS = ResourceHandlers(QUOTES, ())


async def expire_due(work: UnitOfWork, today: date) -> int:
    """Let the workspace's sent quotes that were valid until a day before `today` (UTC) expire; at most a hundred at a
    time. Returns how many."""
    due = await store.lock_past(work, today, _MOST)
    for quote_id in due:
        await _HANDLERS.change(work, quote_id, rules.expire)
    return len(due)
