"""The ASGI application (asgi.readthedocs.io): finds the endpoint, sends its answer or the problem, logs the request."""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

import structlog

from gateway import headers, problems
from gateway.authentication import EVERYONE, Authenticator, Caller
from gateway.exchange import Receive, Request, Response, Send
from gateway.jwks import Jwks
from gateway.own_tokens import OwnTokens
from gateway.router import Router
from gateway.routes import Assembly
from gateway.sessions import Sessions
from gateway.settings import Settings
from kit import contract, ids, logs, metrics
from kit.calls import Services
from kit.errors import Malformed, Problem, Unavailable
from kit.identity import TokenSigner

Scope = MutableMapping[str, Any]

# They tell no length either (RFC 9110, 8.6): of 304 it would have to be that of the 200.
_WITHOUT_BODY = frozenset({204, 304})
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Gateway:
    """The application. It opens its connections when first used, in the event loop that serves it."""

    def __init__(
        self,
        router: Router,
        services: Services,
        stopping: asyncio.Event,
        jwks: Jwks | None = None,
        *,
        webhook_headers: frozenset[bytes] = frozenset(),
    ) -> None:
        """`stopping`: what those look at who wait; `webhook_headers`: those that are read beside the ones that any
        request may have."""
        # Bound once: an unbound logger looks its configuration up for every line, also for one that is left out.
        self._log: structlog.typing.FilteringBoundLogger = logs.get_logger("gateway").bind()
        self._router = router
        self._services = services
        self._stopping = stopping
        self._jwks = jwks
        self._webhook_headers = webhook_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def hurry(self) -> None:
        """Keep nobody waiting any longer for the end of what has begun."""
        self._stopping.set()

    async def close(self) -> None:
        """Close the connections to the services."""
        await self._services.close()
        if self._jwks:
            await self._jwks.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._services.connect()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request, repeated = _request(scope, receive, self._webhook_headers)
        with request.holds:
            token = logs.correlation_id.set(request.correlation_id)
            try:
                with metrics.timed(metrics.HTTP_ACTIVE, metrics.HTTP_DURATION, _method(request)) as measured:
                    response = await self._answer(request, repeated)
                    measured |= {"http.route": request.route, "http.response.status_code": str(response.status)}
                self._report(request, response.status, started)
            finally:
                logs.correlation_id.reset(token)
            await _send(response, request, send)

    async def _answer(self, request: Request, repeated: bytes | None) -> Response:
        try:
            handler, request.path_values = self._router.find(request.method, request.path)
            if repeated:
                raise Malformed(f"The header {repeated.decode()} may be sent only once.", code="header-repeated")
            return await handler(request)
        except Problem as problem:
            return problems.response(problem, request)
        except asyncio.CancelledError:
            # Past the time that requests have at the end of this process.
            return problems.response(Unavailable("The gateway is stopping.", retry_after=1), request)
        except Exception:
            self._log.exception("request failed unexpectedly", method=request.method, path=request.path)
            return problems.response(problems.unexpected(), request)

    def _report(self, request: Request, status: int, started: float) -> None:
        if status < 400 and not request.is_audited:
            say = self._log.debug
        elif status < 500:
            say = self._log.info
        else:
            say = self._log.error
        say(
            "request",
            method=request.method,
            path=request.path,
            status=status,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
            subject=request.principal.subject,
            workspace=request.principal.workspace_id,
        )


def create(settings: Settings) -> Gateway:
    """The whole gateway from its settings. Raises ContractError, or OSError or ValueError for the key files."""
    signer = TokenSigner.from_file("gateway", settings.internal_key_file)
    services = Services(settings.addresses, signer, timeout=settings.request_timeout_seconds)
    jwks = Jwks(settings.jwks_url) if settings.jwks_url else None
    authenticator = Authenticator(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        jwks=jwks,
        dev_secret=settings.jwt_dev_secret,
        own=OwnTokens.from_file(settings.jwt_audience, settings.internal_trust_file),
        check_session=Sessions(services).check,
    )
    authenticate = _everyone if settings.auth_mode == "disabled" else authenticator.authenticate
    stopping = asyncio.Event()
    router = Assembly(settings, services, authenticate, stopping).router()
    return Gateway(router, services, stopping, jwks, webhook_headers=headers.of_webhooks(contract.load()))


async def _everyone(_authorization: str | None) -> Caller:
    return EVERYONE


def _request(scope: Scope, receive: Receive, more: frozenset[bytes]) -> tuple[Request, bytes | None]:
    found, repeated = headers.read(scope["headers"], more)
    client = scope.get("client")
    request = Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        client=client[0] if client else "",
        receive=receive,
        correlation_id=headers.correlation_id(found) or ids.new_id(),
        headers=found,
    )
    return request, repeated


def _method(request: Request) -> dict[str, str]:
    # Anybody may make up a method.
    return {"http.request.method": request.method if request.method in _METHODS else "_OTHER"}


async def _send(response: Response, request: Request, send: Send) -> None:
    response.headers.append((b"x-correlation-id", request.correlation_id.encode()))
    if response.status not in _WITHOUT_BODY:
        response.headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    await send({"type": "http.response.body", "body": response.body})
