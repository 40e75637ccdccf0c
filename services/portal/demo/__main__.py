"""`python -m services.portal.demo [WORKSPACE]`: invite an approver, once. The token goes to stdout: it opens the demo
workspace and nothing else."""

import asyncio
import sys

from kit.calls import Services
from kit.database import Database
from kit.identity import TokenSigner
from kit.settings import read
from services.portal.demo.load import SERVICE, WORKSPACE, load
from services.portal.settings import Settings


async def main(workspace_id: str) -> None:
    settings = read(Settings)
    signer = TokenSigner.from_file(SERVICE, settings.internal_key_file)
    services = Services(settings.addresses, signer, timeout=10)
    database = await Database.connect(settings.database_url, size=1)
    try:
        made = await load(database, services, workspace_id)
    finally:
        await database.close()
        await services.close()
    if made is None:
        print("portal: nobody is invited anew.", flush=True)
        return
    invite = made.invite
    print(f"portal: {invite.name} <{invite.email}> of client {invite.client_id} is invited as an approver.", flush=True)
    print(f"portal: the invite's token, for POST /api/v1/portal/session/exchange, once: {made.token}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else WORKSPACE))
