"""Tell people when the carrier has fallen silent, and when it answers again."""

from __future__ import annotations

import structlog

from referralnet.jobs.work import Work
from referralnet.messaging.carrier_alarms import tell_of_carrier

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Tell what changed; returns 1 where something had."""
    is_silent = await tell_of_carrier(work.database, now=work.now())
    if is_silent is None:
        return 0
    if is_silent:
        _log.error("carrier_silent")
    else:
        _log.warning("carrier_answers")
    return 1
