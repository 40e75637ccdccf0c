"""Becomes another program that ends when its parent does, however the parent ends.

    python -I -S devstack/child.py PARENT_PID SIGNAL USER PROGRAM [ARGUMENT…]

USER is the system user to become, or `-` to stay who one is. Run as a program of its own since the code between fork
and exec of a process that has threads must not be Python's.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Give up root where asked to, ask the kernel for SIGNAL at the parent's death, and become PROGRAM."""
    parent, death_signal, user, *command = sys.argv[1:]
    if user != "-":
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            sys.exit(128 + signal.SIGTERM)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}.")


if __name__ == "__main__":
    main()
