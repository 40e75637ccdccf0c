"""Work in threads of its own, so that what hangs holds up nothing else."""

import threading
from collections.abc import Callable


class Jobs:
    """Starts work by name; of one name there is one at a time."""

    def __init__(self) -> None:
        self._at_work: set[str] = set()
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[], None]) -> bool:
        """Start the work; False when the one before of that name has not ended yet."""
        with self._lock:
            if name in self._at_work:
                return False
            self._at_work.add(name)
        try:
            threading.Thread(target=self._run, args=(name, work), name=name, daemon=True).start()
        except RuntimeError:  # The system gives no more threads.
            self._ended(name)
            return False
        return True

    def _run(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._ended(name)

    def _ended(self, name: str) -> None:
        with self._lock:
            self._at_work.discard(name)
