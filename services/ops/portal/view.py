"""What clients' people see of a table: some of its rows, some of its columns, and of these what is theirs to read.

Which client's rows they are is held by the database (migration 0024); that nothing internal is among them is held here:
lists, searches and single reads have the rows and columns of `source` and no others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import asyncpg
from google.protobuf.message import Message

from kit import contract
from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing
from kit.resources.convert import builder_of
from kit.table_listing import TableListing


@dataclass(frozen=True, eq=False)
class View:
    """`source`: a SELECT of `workspace_id`, the message's fields but those in `apart`, and `search` where the table has
    its index. `searched` are the columns whose text `q` looks through, as SQL; `noun` one of them in a sentence."""

    message: type[Message]
    noun: str
    source: str
    searched: Sequence[str]
    apart: frozenset[str] = frozenset()
    nullable: frozenset[str] = frozenset()
    number: Callable[[int], str] | None = None
    is_indexed: bool = True
    sorts: Mapping[str, str] = field(default_factory=dict)

    async def page(self, request: Any, session: Session) -> Any:
        """The answer to a list request."""
        listing = Listing.of(request, self.message.DESCRIPTOR)
        rows, total = await self._listing.page(session, listing)
        response_class: Any = contract.list_response_class(self.message.DESCRIPTOR)
        return response_class(**listing.answer([self.build(row) for row in rows], total))

    async def get(self, session: Session, resource_id: str) -> Any:
        """Its message. Raises NotFound, also for what is there but not to be seen."""
        return self.build(await self.row(session, resource_id))

    async def row(self, session: Session, resource_id: str) -> asyncpg.Record:
        """Its columns. Raises NotFound."""
        found = await session.fetchrow(self._get, session.call.workspace_id, resource_id)
        if found is None:
            raise NotFound(f"There is no {self.noun} {resource_id}.")
        return found

    @cached_property
    def build(self) -> Callable[[Any], Any]:
        return builder_of(self.message, number=self.number, without=self.apart)

    @cached_property
    def _columns(self) -> str:
        return ", ".join(each.name for each in self.message.DESCRIPTOR.fields if each.name not in self.apart)

    @cached_property
    def _get(self) -> str:
        return f"SELECT {self._columns} FROM ({self.source}) AS seen WHERE workspace_id = $1 AND id = $2"

    @cached_property
    def _listing(self) -> TableListing:
        return TableListing(
            f"({self.source}) AS seen",
            self._columns,
            search=f"lower(concat_ws(chr(10), {', '.join(self.searched)}))",
            sorts=self.sorts,
            nullable=self.nullable,
            indexed_search="search" if self.is_indexed else None,
        )
