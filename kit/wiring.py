"""What a service is put together from: what it stands on, and what it consists of."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.bearer_tokens import BearerTokenIssuer
from kit.calls import Services
from kit.consumer import Subscription
from kit.database import Database
from kit.live_settings import LiveSettings
from kit.rpc import Handler
from kit.secrets import SecretReader
from kit.webhooks import Webhook


@dataclass(frozen=True)
class Foundation:
    """What the kit gives to a service. `on_commit` is to be called after a unit of work that emitted events, by loops;
    rpcs and consumers do so themselves."""

    service: str
    database: Database
    relay_url: str = field(repr=False)
    settings: LiveSettings
    secrets: SecretReader
    services: Services
    tokens: BearerTokenIssuer
    on_commit: Callable[[], None]


@dataclass(frozen=True)
class Wiring:
    """What a service answers (by gRPC path), listens to, and does by itself: loops that never end. `webhooks`: what
    there is to say of those among its rpcs (by gRPC path). `backlogs`: queries of jobs that are not done, each with the
    states that it finds, for metrics (`kit.backlog.Backlog`)."""

    handlers: Mapping[str, Handler]
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    subscriptions: Sequence[Subscription] = ()
    loops: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    backlogs: Mapping[str, Sequence[str]] = field(default_factory=dict)


Wire = Callable[[Foundation], Wiring]
