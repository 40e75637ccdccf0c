"""The connection of a workspace to books of others: the secret that somebody has set, and the refresh token that has
become of it since. Each use of one brings another, which is written down, sealed, before anything is done with it. If
that does not succeed, the one before is good for a while yet: a day at Intuit, half an hour at Xero."""

import json
from dataclasses import dataclass, replace

from kit.call import Call
from kit.database import Database
from kit.errors import Conflict, NotFound
from kit.sealing import Seal
from kit.secrets import SecretReader
from kit.unit_of_work import unit_of_work
from services.integrations.accounting import tokens
from services.integrations.jobs import callers
from services.integrations.jobs.steps import JobFailedError


@dataclass(frozen=True)
class Credentials:
    """`account`: which of the books that the connection is for: QuickBooks' realm, Xero's tenant."""

    client_id: str
    client_secret: str
    account: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Credentials(account={self.account!r})"


@dataclass(frozen=True)
class Where:
    """`base_url`: of the API; `token_url`: where tokens are, or the document that tells; `seconds`: for each answer."""

    base_url: str
    token_url: str
    seconds: float


@dataclass(frozen=True)
class Connections:
    """Of all workspaces."""

    database: Database
    secrets: SecretReader
    seal: Seal

    async def get(self, workspace_id: str, provider: str, account_field: str) -> tuple[Credentials, int]:
        """With the version of the secret, which calls the account `account_field`. Raises JobFailedError when there is
        none that makes sense, Unavailable."""
        key = f"accounting.{provider}"
        try:
            secret = await self.secrets.get(workspace_id, key)
        except NotFound as error:
            raise JobFailedError("not-connected", f"The workspace's secret {key} is not set.") from error
        credentials = _read(secret.value, key, account_field)
        call = _call(workspace_id)
        async with self.database.read(call) as session:
            sealed = await tokens.get(session, provider, secret.version)
        if sealed is not None:
            try:
                token = self.seal.open(sealed, call).decode()
            except Conflict as error:
                raise reconnect_needed(provider) from error
            credentials = replace(credentials, refresh_token=token)
        return credentials, secret.version

    async def keep(self, workspace_id: str, provider: str, refresh_token: str, version: int) -> None:
        """From now on it is this one."""
        call = _call(workspace_id)
        sealed = self.seal.close(refresh_token.encode(), call)
        async with unit_of_work(self.database, call, service=callers.SERVICE) as work:
            await tokens.put(work, provider, version, sealed)


def reconnect_needed(provider: str) -> JobFailedError:
    """Nobody there knows us any more."""
    return JobFailedError(
        "reconnect-needed", f"The connection has ended: connect anew, and set the secret accounting.{provider}."
    )


def _call(workspace_id: str) -> Call:
    # What is sealed is bound to all of it but the correlation id.
    return callers.of_workspace(workspace_id, "connect to accounting")


def _read(value: str, key: str, account_field: str) -> Credentials:
    names = ("clientId", "clientSecret", account_field, "refreshToken")
    try:
        found = json.loads(value)
        texts = [found[name] for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise JobFailedError("not-connected", f"The secret {key} must be JSON with {', '.join(names)}.") from error
    if not all(isinstance(each, str) and each for each in texts):
        raise JobFailedError("not-connected", f"In the secret {key}, {', '.join(names)} must be texts.")
    return Credentials(*texts)
