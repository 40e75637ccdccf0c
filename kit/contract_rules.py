"""What an rpc must keep to, so that it can be served. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opsfield.options.v1 import policy_pb2

if TYPE_CHECKING:
    from kit.contract import Rpc

_OF_SIGNED = (policy_pb2.DELIVERY_WORKSPACE, policy_pb2.BODY_WORKSPACE)


def mistakes(rpc: "Rpc") -> Iterator[str]:
    """What keeps it from that, a sentence each; those after the first may follow from it."""
    if not rpc.access:
        yield f"{rpc.path} does not say who may call it: set (policy).access"
    if rpc.access == "roles" and not rpc.policy.roles.any_of:
        yield f"{rpc.path} names no role"
    by_header = rpc.access == "public" and rpc.credential_header
    if rpc.policy.idempotency == policy_pb2.NATURALLY_IDEMPOTENT and not (rpc.access == "service_only" or by_header):
        yield f"{rpc.path}: without a key only services may call it"
    if not rpc.in_headers <= {rpc.credential}:
        yield f"{rpc.path}: only a credential can stand in a header"
    if rpc.credential_header and any(route.body == "*" for route in rpc.routes):
        yield f"{rpc.path}: its body is '*', so it would hold what stands in a header"
    if rpc.access == "service_only" and rpc.routes:
        yield f"{rpc.path} is for services only but has an HTTP route"
    if rpc.policy.gathered and rpc.routes:
        yield f"{rpc.path} is a part of another answer but has an HTTP route"
    if rpc.access != "service_only" and not rpc.policy.gathered and not rpc.routes:
        yield f"{rpc.path} has no HTTP route"
    if rpc.routes and rpc.mutates == all(route.verb == "GET" for route in rpc.routes):
        yield f"{rpc.path}: idempotency must be set on a mutating rpc, and only there"
    from_outside = rpc.access in ("public", "signature")
    if (rpc.policy.tenancy == policy_pb2.CREDENTIAL_WORKSPACE) != bool(from_outside and rpc.credential):
        yield f"{rpc.path}: what is public and in a workspace needs a credential that names it"
    if rpc.policy.idempotency == policy_pb2.CONTENT_DIGEST and rpc.raw_body is None:
        yield f"{rpc.path} has no raw body whose digest could be the key"
    is_signed = rpc.access == "signature"
    if is_signed != rpc.is_delivered or (rpc.policy.tenancy in _OF_SIGNED and not is_signed):
        yield f"{rpc.path}: what is signed is known by its delivery's id, and only that"
    if is_signed:
        yield from _mistakes_of_signed(rpc)


def _mistakes_of_signed(rpc: "Rpc") -> Iterator[str]:
    named = rpc.policy.signature
    if rpc.raw_body is None:
        yield f"{rpc.path} has no raw body that could be signed"
    is_timed = named.scheme == policy_pb2.Signature.STRIPE
    if not (named.header and named.secret) or bool(named.delivery_header) == is_timed:
        yield f"{rpc.path} does not say which headers sign and name a delivery, and by which secret"
    if any(name != name.lower() for name in (named.header, named.delivery_header)):
        yield f"{rpc.path}: names of headers are written in lower case"
    if is_timed != (rpc.policy.tenancy == policy_pb2.CREDENTIAL_WORKSPACE):
        yield f"{rpc.path}: Stripe's scheme is for a secret of a workspace, and only that"
    if not is_timed and rpc.policy.tenancy not in (policy_pb2.NO_WORKSPACE, *_OF_SIGNED):
        yield f"{rpc.path}: nobody who has no token is in a workspace; set another tenancy"
