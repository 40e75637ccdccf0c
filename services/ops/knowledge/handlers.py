"""How a kind is published."""

from collections.abc import Callable, Sequence
from datetime import datetime

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from services.ops.knowledge import publication

# Notes in a row what is published, by whom and when: `(row, subject, now)`.
Publish = Callable[[Row, str, datetime], None]


class PublishingHandlers(ResourceHandlers):
    """Of a kind whose content is published."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], publish: Publish) -> None:
        super().__init__(kind, kinds)
        self._publish = publish

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if publication.is_new(before, after):
            self._publish(after, work.call.principal.subject, work.now)
