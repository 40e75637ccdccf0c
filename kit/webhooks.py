"""What a service says of a webhook that it takes, beyond the policy of its rpc."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Webhook:
    """`enabled`: else the route answers as if it were not there. `workspace_of`, for one whose tenancy is
    BODY_WORKSPACE: the workspace that a signed body is for; it raises Malformed or NotFound."""

    enabled: bool = True
    workspace_of: Callable[[bytes], Awaitable[str]] | None = None
