"""One platform at a time on a data folder."""

import fcntl
import os
from typing import IO

from devstack.layout import Layout, StackError


def take_lock(layout: Layout) -> IO[str]:
    """Hold the data folder until the returned file is closed or this process ends, however it ends.

    Raises StackError when another process holds it.
    """
    file = layout.lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise StackError(
            f"The platform is running already on {layout.data} (process {owner or 'unknown'}): "
            "stop that one, or choose another folder with OPSFIELD_DATA."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
