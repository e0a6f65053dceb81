"""Erase what texts held, when nothing about them can arrive any more."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.erasing import AT_ONCE_MAX, erase_at_carrier, erase_here


async def run(work: Work) -> int:
    """Erase here and at the carrier, look by look while there is much of it; returns how often something was erased."""
    erased = 0
    while not work.stopping.is_set():
        at_carrier = await erase_at_carrier(work.sender)
        here = await erase_here(work.database, now=work.now())
        erased += at_carrier + here
        if max(at_carrier, here) < AT_ONCE_MAX:
            break
    return erased
