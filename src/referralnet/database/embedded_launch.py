"""Becomes the embedded server: a program of its own, run as `python -I -S embedded_launch.py`.

Between fork and exec nothing of the parent's threads may be touched, so this is a fresh interpreter and not a
`preexec_fn`. Order matters: Linux forgets the parent-death signal when a process changes its user, and that user may be
unable to read this interpreter's library, so everything is imported before.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """`arguments`: parent's process id, death signal's name, user id, group id, then the server's own command line."""
    parent, death_signal, user_id, group_id, *command = arguments
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(group_id))
        os.setuid(int(user_id))
    os.umask(0o077)
    if sys.platform == "linux":
        _die_with_parent(signal.Signals[death_signal])
    if os.getppid() != int(parent):
        sys.exit("the program that wanted a database is gone already")
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)


def _die_with_parent(death_signal: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main(sys.argv[1:])
