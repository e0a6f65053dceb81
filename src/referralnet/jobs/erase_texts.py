"""Erase what texts held, when nothing about them can arrive any more."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.erasing import erase_at_carrier, erase_here


async def run(work: Work) -> int:
    """Erase here and at the carrier for as long as there is something; returns how often something was erased."""
    erased = 0
    while not work.stopping.is_set():
        at_carrier = await erase_at_carrier(work.sender)
        here = await erase_here(work.database, now=work.now())
        if not at_carrier + here:
            break
        erased += at_carrier + here
    return erased
