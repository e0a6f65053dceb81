"""Ask the carrier about what it took a day ago and has said nothing final about."""

from __future__ import annotations

from referralnet.jobs.work import Work
from referralnet.messaging.silent import ask_about_silent


async def run(work: Work) -> int:
    """Ask about each once a day; returns how many it settled."""
    return await ask_about_silent(work.sender)
