"""What belongs to a client: it refers to sites, contacts and assets of that client only, and one of a kind may be the
client's primary one."""

from collections.abc import Collection, Sequence

from google.protobuf.message import Message

from kit.errors import FieldError, Invalid
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Reference, Row
from kit.resources.store import ResourceStore
from kit.unit_of_work import UnitOfWork
from services.ops.directory.assets import store as assets


async def check_assets(
    work: UnitOfWork, client_id: str, asset_ids: Sequence[str], *, known: Collection[str] = ()
) -> None:
    """Raises Invalid for assets of another client, each at its place in `assetIds`; those that are `known` were there
    before and are not looked at."""
    named = [each for each in asset_ids if each not in known]
    foreign = await assets.of_others(work, client_id, named) if named else ()
    if foreign:
        raise Invalid.fields(
            *(
                FieldError(f"assetIds[{index}]", "belongs to another client")
                for index, each in enumerate(asset_ids)
                if each in foreign
            )
        )


class BelongingStore(ResourceStore):
    """SQL of resources that belong to a client."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self._demote_others = (
            f"UPDATE {kind.table} SET is_primary = false, updated_at = $4, version = version + 1 "
            "WHERE workspace_id = $1 AND client_id = $2 AND id <> $3 AND is_primary AND deleted_at IS NULL "
            "RETURNING id, version"
        )

    async def belongs(self, work: UnitOfWork, reference: Reference, row: Row) -> bool:
        """Whether what the row names belongs to the row's client. Neither ever moves to another."""
        found = await work.fetchval(
            f"SELECT true FROM {reference.table} WHERE workspace_id = $1 AND id = $2 AND client_id = $3",
            work.call.workspace_id,
            row[reference.field],
            row["client_id"],
        )
        return bool(found)

    async def hold_client(self, work: UnitOfWork, client_id: str) -> None:
        """Let nobody else choose a primary one of this client until the unit of work ends."""
        await work.fetchval(
            "SELECT true FROM clients WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
            work.call.workspace_id,
            client_id,
        )

    async def demote_others(self, work: UnitOfWork, row: Row) -> None:
        """Take the primary place of the row's client from any other."""
        arguments = (work.call.workspace_id, row["client_id"], row["id"], work.now)
        for demoted in await work.fetch(self._demote_others, *arguments):
            work.audit(demoted["id"], demoted["version"])


class BelongingHandlers(ResourceHandlers):
    """Of a kind that refers to sites or contacts."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind]) -> None:
        super().__init__(kind, kinds)
        self.belonging = BelongingStore(kind)
        self._of_client = [each for each in kind.references if each.kind in ("sites", "contacts")]

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        foreign = [
            FieldError(each.json_name, "belongs to another client")
            for each in self._of_client
            if after[each.field]
            and (before is None or any(before[name] != after[name] for name in (each.field, "client_id")))
            and not await self.belonging.belongs(work, each, after)
        ]
        if foreign:
            raise Invalid.fields(*foreign)


class PrimaryHandlers(BelongingHandlers):
    """Of a kind of which each client has at most one that is primary: who becomes it takes the place of the former."""

    considers_others = True

    async def insert(self, work: UnitOfWork, row: Row) -> Message:
        if row["is_primary"]:
            # Before the check of references takes a share of the client: two who share it would wait for each other.
            await self.belonging.hold_client(work, row["client_id"])
        return await super().insert(work, row)

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        await super().consider(work, before, after)
        if after["is_primary"] and not (before and before["is_primary"]):
            await self.belonging.hold_client(work, after["client_id"])
            await self.belonging.demote_others(work, after)
