"""What the integrations service consists of."""

from kit.wiring import Foundation, Wiring

NAME = "integrations"


def wire(foundation: Foundation) -> Wiring:
    """Nothing yet beside the outbox that every service serves."""
    del foundation
    return Wiring(handlers={})
