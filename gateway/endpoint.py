"""One route of one rpc, ready to serve: admit, read, ask, answer."""

from opentelemetry.trace import SpanKind

from gateway import headers
from gateway.admission import Admission
from gateway.exchange import Request, Response
from gateway.following import MOST_SECONDS, Following
from gateway.requests import Decoder
from gateway.responses import Responder
from kit import tracing
from kit.calls import Invoke, Passport
from kit.contract import Route, Rpc
from kit.errors import Unauthenticated
from opsfield.options.v1 import policy_pb2


class Endpoint:
    """Everything that depends on the rpc alone is found out here, once."""

    def __init__(
        self,
        rpc: Rpc,
        route: Route,
        *,
        admission: Admission,
        decoder: Decoder,
        invoke: Invoke,
        following: Following | None = None,
    ) -> None:
        self._span_name = f"{route.verb} {route.path}"
        self._route = route.path
        self._mutates = rpc.mutates
        self._needs_key = rpc.needs_key
        self._signature = rpc.policy.signature if rpc.access == "signature" else None
        is_timed = rpc.policy.signature.scheme == policy_pb2.Signature.STRIPE
        self._read_signature = headers.timed_signature if is_timed else headers.signature
        self._is_audited = rpc.policy.audit
        self._admission = admission
        self._decoder = decoder
        self._invoke = invoke
        self._following = following
        self._responder = Responder(rpc, route, following.place if following else None)

    async def __call__(self, request: Request) -> Response:
        """Raises Problem."""
        request.route = self._route
        traceparent = headers.traceparent(request.headers)
        with tracing.span(self._span_name, kind=SpanKind.SERVER, traceparent=traceparent) as own_traceparent:
            request.principal = await self._admission.admit(request)
            request.is_audited = self._is_audited
            passport = self._passport(request, own_traceparent)
            message = await self._decoder.decode(request)
            try:
                reply = await self._invoke(message, passport)
            except Unauthenticated:
                self._admission.refused(request)
                raise
            self._admission.accepted(request)
            if self._following and (seconds := headers.wait(request.headers)):
                reply = await self._following.until_final(reply, passport, min(seconds, MOST_SECONDS))
            return self._responder.respond(request, reply)

    def _passport(self, request: Request, traceparent: str | None) -> Passport:
        if self._signature:
            request.signed_by = self._signature.header
            return Passport(
                request.principal,
                request.correlation_id,
                headers.delivery(request.headers, self._signature.delivery_header),
                traceparent=traceparent,
                signature=self._read_signature(request.headers, self._signature.header),
            )
        return Passport(
            request.principal,
            request.correlation_id,
            headers.idempotency_key(request.headers) if self._needs_key else None,
            headers.if_match(request.headers) if self._mutates else None,
            traceparent,
        )
