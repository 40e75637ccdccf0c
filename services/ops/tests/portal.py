"""What the portal asks of ops, as the portal would."""

from dataclasses import replace

from devstack.stack import Stack
from kit.identity import Principal, TokenSigner
from services.ops.tests.client import Ops


def as_person(ops: Ops, stack: Stack, client_id: str, *, subject: str = "contact:kim") -> Ops:
    """The same service and workspace, asked by the portal for a person of that client."""
    signer = TokenSigner.from_file("portal", stack.layout.key("portal"))
    principal = Principal(
        subject,
        frozenset({"client_portal"}),
        ops.principal.workspace_id,
        client_id=client_id,
        service="portal",
    )
    return replace(ops, signer=signer, principal=principal, notes={})


def as_staff(ops: Ops, stack: Stack) -> Ops:
    """Asked by the portal for the provider's staff."""
    signer = TokenSigner.from_file("portal", stack.layout.key("portal"))
    return replace(ops, signer=signer, principal=replace(ops.principal, service="portal"), notes={})
