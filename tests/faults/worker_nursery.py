"""Starts real worker processes quickly: imports once, then forks one for each line on standard input and prints its id.

A worker started from the shell spends more than a second on imports; two hundred of those would say nothing more.
It ends with whoever started it, and its workers with it: tests that are killed leave none behind.
"""

from __future__ import annotations

import os
import signal
import sys

import referralnet.app
import referralnet.jobs.worker  # noqa: F401 (imported for the children)
from referralnet.cli.worker import worker
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.messaging.checking import problems
from tests.faults.mortality import die_with_parent


def main() -> None:
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    # What these import and load at their first use.
    TwilioCarrier("AC0", "token", from_number="+15005550006")
    list(problems())
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            die_with_parent()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                worker()
            finally:
                os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
