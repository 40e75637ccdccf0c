"""What the workflow service consists of."""

from kit.wiring import Foundation, Wiring

NAME = "workflow"


def wire(foundation: Foundation) -> Wiring:
    """Nothing yet beside the outbox that every service serves."""
    del foundation
    return Wiring(handlers={})
