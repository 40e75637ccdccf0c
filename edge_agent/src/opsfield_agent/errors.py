"""What can go wrong, each with a sentence for the person at the machine or for the log."""

FAILED = 1
"""Exit code for what went wrong outside: a refused token, no network, no permission."""
MISTAKE = 2
"""Exit code for what is wrong with the command that was given."""


class AgentError(Exception):
    """Ends the program with its sentence and exit code."""

    exit_code = FAILED


class Mistake(AgentError):
    """The command line is wrong."""

    exit_code = MISTAKE


class Later(Exception):
    """The platform cannot do it now: try again, after `retry_after` seconds at the soonest where it says so."""

    def __init__(self, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Refused(Exception):
    """The platform no longer knows this agent: it is revoked, or another has taken its place."""


class NeverTaken(Exception):
    """The platform looked at this batch and will never take it."""
