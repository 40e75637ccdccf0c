"""The six standard rpcs of a resource kind, and the one way in which a resource changes."""

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from kit import contract, ids
from kit.contract import ContractError
from kit.database import Session
from kit.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed, Problem
from kit.paging import Listing
from kit.resources.convert import apply_mask, message_builder, row_of
from kit.resources.kind import Kind, Reference, Row
from kit.resources.store import ResourceStore
from kit.rpc import Handler
from kit.unit_of_work import UnitOfWork

# Verb of a standard rpc to the method here that does it.
_STANDARD = {verb: verb for verb in ("get", "create", "replace", "update", "delete")} | {"list": "page"}


class ResourceHandlers:
    """Handlers of a kind; a subclass adds methods named after the kind's further rpcs (`resolve_ticket`).

    `kinds` are all kinds of the service, so that deletion can be refused while something refers to a resource.
    """

    # Whether `consider` may change other rows. Of many at once each is then created by itself, so that one that is
    # refused in the end has changed nothing.
    considers_others = False

    def __init__(self, kind: Kind, kinds: Sequence[Kind]) -> None:
        self.kind = kind
        self.store = ResourceStore(kind)
        self._message = message_builder(kind)
        self._referring = [
            (each, reference) for each in kinds for reference in each.references if reference.kind == kind.name
        ]

    def by_path(self) -> dict[str, Handler]:
        """Handlers by gRPC path, for each rpc of the kind's service. Raises ContractError when one is missing."""
        found = {}
        service = f"{self.kind.descriptor.full_name}Service"
        for rpc in contract.load():
            if rpc.descriptor.containing_service.full_name == service:
                found[rpc.path] = self._handler(contract.snake_case(rpc.name))
        return found

    async def page(self, request: Any, session: Session) -> Message:
        listing = Listing.of(request, self.kind.descriptor)
        rows, total = await self.store.page(session, listing)
        response_class = contract.list_response_class(self.kind.descriptor)
        return response_class(**listing.answer([self._message(row) for row in rows], total))

    async def get(self, request: Any, session: Session) -> Message:
        return self._message_of(self._found(await self.store.get(session, request.id), request.id))

    async def create(self, request: Any, work: UnitOfWork) -> Message:
        row = row_of(getattr(request, self._body), self.kind.writable)
        return await self.create_row(work, row)

    async def replace(self, request: Any, work: UnitOfWork) -> Message:
        def apply(row: Row) -> None:
            state = row.get(self.kind.state_field)
            row |= row_of(getattr(request, self._body), self.kind.writable)
            if state is not None and row[self.kind.state_field] is None:
                row[self.kind.state_field] = state

        return await self.edit(work, request.id, apply)

    async def update(self, request: Any, work: UnitOfWork) -> Message:
        def apply(row: Row) -> None:
            apply_mask(row, getattr(request, self._body), request.update_mask.paths, self.kind)

        return await self.edit(work, request.id, apply)

    async def delete(self, request: Any, work: UnitOfWork) -> Message:
        row = dict(self._locked(await self.store.lock(work, request.id), request.id, work))
        await self.before_delete(work, row)
        for kind, reference in self._referring:
            if count := await self.store.count_referring(work, request.id, kind, reference):
                raise Conflict(
                    f"The {self.kind.noun} cannot be deleted: {count} {kind.name} belong to it.", code="in-use"
                )
        await self.store.delete(work, request.id)
        work.audit(request.id, row["version"] + 1)
        return Empty()

    # What a kind may add to the standard way; each runs in the unit of work of the change.

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """Refuse or complete `after` by what the rules cannot see from the row: other rows, settings. Runs after the
        rules and the check of references, before the row is written (`before` is None for a creation)."""

    async def create_row(self, work: UnitOfWork, row: Row) -> Message:
        """What a caller's new row, which holds the writable fields, becomes: a resource of its own, unless the kind
        knows better."""
        return await self.insert(work, row)

    async def edit(self, work: UnitOfWork, resource_id: str, apply: Callable[[Row], None]) -> Message:
        """What a caller's new values of the writable fields become: a change like any other, unless the kind knows
        better."""
        return await self.change(work, resource_id, apply)

    async def follow(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """Change other rows that go with this one, once it is written."""

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        """Refuse a deletion (Conflict) for reasons other than resources that refer to this one."""

    async def insert(self, work: UnitOfWork, row: Row) -> Message:
        """Create a resource from the writable fields in `row`, and those derived ones that are given. Raises what the
        rules raise, Invalid for a reference to nothing, Conflict when a unique field is taken."""
        self._complete(row)
        await self._judge(work, row)
        if self.kind.number_prefix:
            [row["number"]] = await self.store.next_numbers(work, 1)
        return await self._write(self.store.insert, work, None, row)

    async def insert_many(self, work: UnitOfWork, rows: Sequence[Row]) -> list[Message | Problem]:
        """Create many at once, each as `insert` does: for each row its resource, or why it was not created; that does
        not keep the others from it. Meant for hundreds at a time."""
        has_own_way = (type(self).insert, type(self).create_row) != (
            ResourceHandlers.insert,
            ResourceHandlers.create_row,
        )
        if has_own_way or self.considers_others:
            return [await self._attempt(work, row) for row in rows]
        for row in rows:
            self._complete(row)
        await self.store.hold_references(work, rows, self.kind.references)
        results: list[Message | Problem | None] = [None] * len(rows)
        ready: dict[int, Row] = {}
        for place, row in enumerate(rows):
            try:
                await self._judge(work, row)
                ready[place] = row
            except Problem as problem:
                results[place] = problem
        if self.kind.number_prefix:
            for row, number in zip(ready.values(), await self.store.next_numbers(work, len(ready)), strict=True):
                row["number"] = number
        records = await self.store.insert_many(work, list(ready.values()))
        for place, row in ready.items():
            record = records.get(row["id"])
            results[place] = await self._written(work, None, record) if record else self._taken(None)
        return [result for result in results if result is not None]

    async def change(self, work: UnitOfWork, resource_id: str, apply: Callable[[Row], None]) -> Message:
        """Change a resource: locked, checked against If-Match, changed by `apply`, judged by the rules, written if
        anything is different. Raises NotFound, PreconditionFailed, and what `insert` raises."""
        before = dict(self._locked(await self.store.lock(work, resource_id), resource_id, work))
        return await self.amend(work, before, apply)

    async def lock(self, work: UnitOfWork, resource_id: str) -> Row:
        """The resource, held against other changes until the end of the unit of work. Raises NotFound."""
        return dict(self._found(await self.store.lock(work, resource_id), resource_id))

    async def amend(self, work: UnitOfWork, before: Row, apply: Callable[[Row], None]) -> Message:
        """Change a row that this unit of work has locked, as `change` does but without If-Match: for what follows from
        a change of something else."""
        after = dict(before)
        apply(after)
        self._fill_defaults(after)
        self.kind.rules(before, after, work.now)
        if after == before:
            return self._message_of(before)
        await self._check_references(work, before, after)
        await self.consider(work, before, after)
        return await self._write(self.store.update, work, before, after)

    def _complete(self, row: Row) -> None:
        row |= {"id": ids.new_id(), **self._derived_defaults(), **row}
        self._fill_defaults(row)

    async def _judge(self, work: UnitOfWork, row: Row) -> None:
        self.kind.rules(None, row, work.now)
        await self._check_references(work, None, row)
        await self.consider(work, None, row)

    async def _attempt(self, work: UnitOfWork, row: Row) -> Message | Problem:
        try:
            async with work.attempt():
                return await self.create_row(work, row)
        except Problem as problem:
            return problem

    async def _write(self, write: Any, work: UnitOfWork, before: Row | None, after: Row) -> Message:
        try:
            record = await write(work, after)
        except asyncpg.UniqueViolationError as error:
            field = self.kind.unique.get(error.constraint_name or "")
            if field is None:
                raise
            raise self._taken(field) from error
        return await self._written(work, before, record)

    def _taken(self, field: str | None) -> Conflict:
        """`field`: what another has, by its JSON name; None: one of those that are unique."""
        names = [field] if field else sorted(set(self.kind.unique.values()))
        errors = [FieldError(name, f"another {self.kind.noun} has this already") for name in names] if field else []
        which = " or ".join(names) or "id"
        return Conflict(f"Another {self.kind.noun} has this {which}.", code="already-exists", errors=errors)

    async def _written(self, work: UnitOfWork, before: Row | None, record: Any) -> Message:
        """What follows from a row that was written: audit record, events, other rows."""
        work.audit(str(record["id"]), record["version"])
        message = self._message_of(record)
        for event in self.kind.announce(before, dict(record), message):
            work.emit(event, key=str(record["id"]))
        await self.follow(work, before, dict(record))
        return message

    async def _check_references(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        changed: list[Reference] = [
            each
            for each in self.kind.references
            if after[each.field] and (before is None or before[each.field] != after[each.field])
        ]
        missing = await self.store.missing_references(work, after, changed)
        if missing:
            raise Invalid.fields(
                *(FieldError(place, f"names nothing among this workspace's {kind}") for place, kind in missing)
            )

    def _handler(self, name: str) -> Handler:
        handler = getattr(self, name, None) or getattr(self, _STANDARD.get(name.partition("_")[0], ""), None)
        if handler is None:
            raise ContractError(f"{type(self).__name__} lacks {name}")
        found: Handler = handler
        return found

    @property
    def _body(self) -> str:
        return contract.snake_case(self.kind.descriptor.name)

    def _message_of(self, row: Any) -> Message:
        message: Message = self._message(row)
        return message

    def _found(self, record: asyncpg.Record | None, resource_id: str) -> asyncpg.Record:
        if record is None:
            raise NotFound(f"There is no {self.kind.noun} {resource_id}.")
        return record

    def _locked(self, record: asyncpg.Record | None, resource_id: str, work: UnitOfWork) -> asyncpg.Record:
        record = self._found(record, resource_id)
        expected = work.call.expected_version
        if expected is not None and expected != record["version"]:
            raise PreconditionFailed(
                f"The {self.kind.noun} has version {record['version']} by now, not {expected}; read it again.",
                code="version-stale",
            )
        return record

    def _fill_defaults(self, row: Row) -> None:
        row |= {name: value for name, value in self.kind.defaults.items() if row.get(name) is None}

    def _derived_defaults(self) -> Row:
        fields = self.kind.descriptor.fields_by_name
        return {
            name: [] if fields[name].is_repeated else None if fields[name].has_presence else 0
            for name in self.kind.derived
        }
