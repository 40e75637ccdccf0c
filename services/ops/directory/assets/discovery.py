"""What endpoint agents say of the machines they run on becomes assets.

An asset that was there before the agent is taken over, recognized by the agents whose place this one takes, by its
serial number or by its host's name; what the provider wrote into it stays. Fields that cannot be (an address that is
none, another asset's serial number) are left out.
"""

from typing import Any

from kit.errors import Conflict, Invalid
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.directory.assets import store
from services.ops.directory.assets.handlers import AssetHandlers

# What an agent finds out; of these the ones that may turn out not to be acceptable.
_REPORTED = ("hostname", "manufacturer", "model", "serial_number", "operating_system", "ip_address", "mac_address")
_DOUBTFUL = ("serial_number", "ip_address", "mac_address")


async def asset_of(work: UnitOfWork, assets: AssetHandlers, said: Row) -> str | None:
    """The id of the asset for which the agent of an observation reports, brought up to date with its inventory, created
    if need be; None when there is none and no inventory to make one of. `said` holds the fields of AssetObserved."""
    known = await store.by_agent(work, said["agent_id"])
    inventory = said["inventory"]
    if inventory is None:
        return known.id if known else None
    if known is None and said["client_id"] is not None:
        known = await _there_before(work, said)
    reported = {name: inventory[name] for name in _REPORTED if inventory.get(name)}
    try:
        async with work.attempt():
            return await _take(work, assets, known, said, reported)
    except (Conflict, Invalid):
        certain = {name: value for name, value in reported.items() if name not in _DOUBTFUL}
        return await _take(work, assets, known, said, certain)


async def _there_before(work: UnitOfWork, said: Row) -> store.Known | None:
    client_id, inventory = said["client_id"], said["inventory"]
    # A condition, of which an asset may be made too, does not say whose place its agent takes.
    replaced = said.get("replaces_agent_ids")
    known = await store.of_predecessors(work, client_id, replaced) if replaced else None
    return known or await store.same_machine(work, client_id, inventory.get("serial_number"), inventory["hostname"])


async def _take(
    work: UnitOfWork, assets: AssetHandlers, known: store.Known | None, said: Row, reported: Row
) -> str | None:
    kind, site_id = said["inventory"].get("type"), await _site_of(work, known, said)
    if known is not None:

        def apply(asset: Row) -> None:
            asset |= reported | {"agent_id": said["agent_id"], "site_id": asset["site_id"] or site_id}
            if kind and asset["type"] == "other":
                asset["type"] = kind

        await assets.amend(work, await assets.lock(work, known.id), apply)
        return known.id
    if said["client_id"] is None:
        return None
    unset: Row = {each.name: [] if each.is_repeated else None for each in assets.kind.writable}
    own = {
        "name": said["inventory"]["hostname"][:200],
        "client_id": said["client_id"],
        "site_id": site_id,
        "agent_id": said["agent_id"],
        "type": kind,
        "maintenance_mode": False,
    }
    created: Any = await assets.insert(work, unset | reported | own)
    return str(created.id)


async def _site_of(work: UnitOfWork, known: store.Known | None, said: Row) -> str | None:
    """The site that the agent was enrolled for, if it is one of the asset's client."""
    client_id = known.client_id if known else said["client_id"]
    site_id: str | None = said["site_id"]
    return site_id if site_id and client_id and await store.is_site_of(work, site_id, client_id) else None
