"""A service's database on the local server: made, and brought to the newest schema."""

from devstack.layout import StackError
from devstack.postgres import Postgres
from kit import schema_version
from kit.bootstrap import Passwords, bootstrap_database


async def prepare(service: str, server: Postgres) -> None:
    """Prepare the database of one service; nothing changes where that was done. Raises StackError for a service that
    has no migrations."""
    await bootstrap_database(server.admin_url, service, Passwords(server.password, server.password, server.password))
    if await schema_version.is_newest(service, server.url(service, "relay")):
        return
    # With Alembic it takes a second to load, which most starts can save.
    from kit.migrate import upgrade

    try:
        await upgrade(service, server.url(service, "owner"))
    except LookupError as error:
        raise StackError(str(error)) from error
