"""What the portal service consists of."""

from kit.wiring import Foundation, Wiring

NAME = "portal"


def wire(foundation: Foundation) -> Wiring:
    """Nothing yet beside the outbox that every service serves."""
    del foundation
    return Wiring(handlers={})
