"""Ties a process to its parent's life. Run as a script it does so and then becomes the command it is given.

    python leash.py SIGNAL PARENT_PID COMMAND [ARGUMENT ...]

A script, because the same thing done between fork and exec (`preexec_fn`) can lock up when the parent has threads.
Imports nothing but the standard library, so that it starts in a few milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(signal_number: int, *, parent: int) -> bool:
    """Have the kernel send a signal when the parent's starting thread ends; False when the parent is gone already.

    Only Linux can do this. Elsewhere children of a parent killed by SIGKILL go on until they are stopped.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    return os.getppid() == parent


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command."""
    signal_number, parent, *command = arguments
    if not die_with_parent(int(signal_number), parent=int(parent)):
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the point of this file; the command is the supervisor's own
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
