"""Who may come in: token, role, workspace, quota. In that order, so that each answer tells only what is due."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256

from gateway import headers
from gateway.authentication import Caller
from gateway.exchange import ANONYMOUS, Request
from kit import contract
from kit.contract import ContractError, Rpc
from kit.errors import Forbidden, Malformed, Unauthenticated
from kit.formats import WORKSPACE_ID
from kit.identity import Principal
from kit.rate_limit import RateLimited, RateLimiter
from opsfield.options.v1 import policy_pb2

# Who may come in from outside, as policies say it.
SERVED = ("public", "roles", "signature")
_MOST_GOOD = 10_000

Authenticate = Callable[[str | None], Awaitable[Caller]]


class Admission:
    """The entrance of one rpc, from its policy."""

    def __init__(self, rpc: Rpc, authenticate: Authenticate, limiter: RateLimiter) -> None:
        """Raises ContractError for a policy that cannot be kept."""
        if rpc.access not in SERVED:
            raise ContractError(f"{rpc.path}: access '{rpc.access}' has no route")
        if rpc.access == "public" and rpc.in_workspace and not rpc.credential:
            raise ContractError(f"{rpc.path}: public, so only a credential can tell its workspace: set another tenancy")
        self._authenticate = authenticate
        self._limiter = limiter
        self._roles = rpc.roles
        # A signature is over the body, which is not here yet: the service whose secret it is looks at it.
        self._needs_token = rpc.access == "roles"
        self._credential = _Credential(rpc) if rpc.credential_header else None
        self._good: set[bytes] = set()
        self._in_workspace = rpc.in_workspace
        self._token_names_workspace = rpc.policy.tenancy == policy_pb2.TOKEN_WORKSPACE
        self._mutates = rpc.mutates

    async def admit(self, request: Request) -> Principal:
        """Who asks, for which workspace; what is public or signed is asked by nobody, in none that is known here.
        Raises Unauthenticated, Forbidden, Malformed or TooManyRequests."""
        if self._credential:
            # By what it proves itself with: many agents may share an address. Who is refused is counted by address,
            # which shuts nobody out who was let in before.
            key = self._credential.read(request)
            if key not in self._good:
                self._limiter.check(("refused", request.client))
            self._limiter.hit(("credential", key))
            return ANONYMOUS
        if not self._needs_token:
            # Reads stay free, as health probes and all who come through one proxy share an address.
            if self._mutates:
                self._limiter.hit(("public", request.client))
            return ANONYMOUS
        caller = await self._authenticate(request.headers.get(headers.AUTHORIZATION))
        if self._roles.isdisjoint(caller.principal.roles):
            raise Forbidden(f"This needs one of the roles {', '.join(sorted(self._roles))}.", code="role-missing")
        principal = self._enter(caller, request) if self._in_workspace else caller.principal
        self._limiter.hit((principal.workspace_id, principal.subject))
        return principal

    def accepted(self, request: Request) -> None:
        """The credential that stands in a header is good."""
        if self._credential:
            if len(self._good) >= _MOST_GOOD:
                self._good.clear()
            self._good.add(self._credential.read(request))

    def refused(self, request: Request) -> None:
        """The credential that stands in a header is none."""
        if self._credential:
            self._good.discard(self._credential.read(request))
            with suppress(RateLimited):
                self._limiter.hit(("refused", request.client))

    def _enter(self, caller: Caller, request: Request) -> Principal:
        workspace_id = request.headers.get(headers.WORKSPACE)
        if workspace_id is None and self._token_names_workspace:
            workspace_id = caller.only_workspace
        if workspace_id is None:
            raise Malformed("The header x-workspace-id is needed here.", code="workspace-missing")
        if not WORKSPACE_ID.fullmatch(workspace_id):
            raise Malformed(
                "x-workspace-id must be 1 to 63 lower-case letters, digits, dashes and underscores.",
                code="workspace-malformed",
            )
        principal = caller.in_workspace(workspace_id)
        if principal is None:
            raise Forbidden("The caller is no member of this workspace.", code="workspace-not-allowed")
        return principal


class _Credential:
    """The header in which the caller of a public rpc proves itself; the service finds out whether it does."""

    def __init__(self, rpc: Rpc) -> None:
        assert rpc.credential is not None
        field = rpc.descriptor.input_type.fields_by_name[rpc.credential]
        self.name = contract.field_options(field).header.encode()
        self._longest = contract.field_options(field).max_length
        if self.name not in headers.CREDENTIALS:
            raise ContractError(f"{rpc.path}: the gateway does not read the header {self.name.decode()}")

    def read(self, request: Request) -> bytes:
        """The hash of what stands in it. Raises Unauthenticated."""
        given = request.headers.get(self.name, "")
        if not given or len(given) > self._longest:
            raise Unauthenticated(f"The header {self.name.decode()} is needed, with a key that is valid.")
        return sha256(given.encode()).digest()
