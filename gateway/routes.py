"""Puts the API together: every route of the contract with its endpoint, and the documentation page."""

import asyncio
from collections.abc import Iterable, Mapping

from gateway import comments, docs_page, openapi
from gateway.admission import SERVED, Admission, Authenticate
from gateway.endpoint import Endpoint
from gateway.fan_out import FanOut
from gateway.following import Following
from gateway.gather import Gather
from gateway.health import VERSION, OwnHandlers, own_call
from gateway.raw_bodies import Budget
from gateway.requests import Decoder
from gateway.router import Router
from gateway.settings import Settings
from kit import contract
from kit.calls import Invoke, ServiceCall, Services
from kit.contract import ContractError, Rpc
from kit.rate_limit import RateLimiter


class Assembly:
    """What all endpoints share."""

    def __init__(
        self, settings: Settings, services: Services, authenticate: Authenticate, stopping: asyncio.Event
    ) -> None:
        """`stopping`: set once nobody shall be kept waiting."""
        self._settings = settings
        self._services = services
        self._authenticate = authenticate
        self._stopping = stopping
        self._limiter = RateLimiter(settings.rate_limit_per_minute)
        self._budget = Budget(settings.raw_body_budget_bytes)
        self._own = OwnHandlers(services)

    def router(self, rpcs: Iterable[Rpc] | None = None) -> Router:
        """All routes; `rpcs` is the contract unless given. Raises ContractError when one of them cannot be served."""
        by_path = {rpc.path: rpc for rpc in (contract.load() if rpcs is None else rpcs)}
        served = [rpc for rpc in by_path.values() if rpc.access in SERVED]
        router = Router()
        for rpc in served:
            invoke, following = self._invoke(rpc, by_path), self._following(rpc, by_path)
            for route in rpc.routes:
                router.add(route.verb, route.path, self._endpoint(rpc, route, invoke, following))
        for path, handler in docs_page.routes():
            router.add("GET", path, handler)
        self._own.openapi = openapi.build(served, comments.load(), VERSION)
        return router

    def _endpoint(self, rpc: Rpc, route: contract.Route, invoke: Invoke, following: Following | None) -> Endpoint:
        return Endpoint(
            rpc,
            route,
            admission=Admission(rpc, self._authenticate, self._limiter_of(rpc)),
            decoder=Decoder(
                rpc,
                route,
                most_bytes=self._settings.max_body_bytes,
                budget=self._budget,
                seconds=self._settings.request_timeout_seconds,
            ),
            invoke=invoke,
            following=following,
        )

    def _limiter_of(self, rpc: Rpc) -> RateLimiter:
        tries = rpc.policy.tries_per_minute
        # Where there is no limit at all, for a test say, there is none here either.
        return RateLimiter(min(tries, self._settings.rate_limit_per_minute)) if tries else self._limiter

    def _following(self, rpc: Rpc, by_path: Mapping[str, Rpc]) -> Following | None:
        if not rpc.policy.followed_by:
            return None
        followed = by_path.get(rpc.policy.followed_by)
        read = ServiceCall(self._services, rpc.owner, followed or rpc)
        return Following(rpc, followed, read, self._stopping)

    def _invoke(self, rpc: Rpc, by_path: Mapping[str, Rpc]) -> Invoke:
        if rpc.policy.gathers:
            return Gather(rpc, by_path, lambda part: ServiceCall(self._services, part.owner, part))
        if rpc.owner == contract.GATEWAY:
            return own_call(self._own, rpc)
        if rpc.policy.fan_out:
            return FanOut(rpc, {name: ServiceCall(self._services, name, rpc) for name in self._services.names})
        if rpc.owner == contract.EVERY_SERVICE:
            raise ContractError(f"{rpc.path}: every service serves it, so it must fan out")
        return ServiceCall(self._services, rpc.owner, rpc)
