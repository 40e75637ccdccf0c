"""What holds for all remote agents."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NodeLimits:
    """`silence_seconds`: after so long without a word a node is not reachable, and what it ran is lost;
    `timeout_seconds` bounds one try; `most_tries` is how often a run is begun; `most_nodes` counts in a workspace."""

    silence_seconds: float = 15.0
    timeout_seconds: int = 3600
    most_tries: int = 3
    most_nodes: int = 500

    @property
    def heard_every_seconds(self) -> float:
        """A node that speaks more often is not written down each time. Agents speak every 2 s, not to the tick."""
        return min(1.9, self.silence_seconds / 4)
