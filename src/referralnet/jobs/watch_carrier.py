"""Tell people when the carrier has fallen silent or refuses the account, and when it answers again."""

from __future__ import annotations

import structlog

from referralnet.identity.tasks import CARRIER_ANSWERS
from referralnet.jobs.work import Work
from referralnet.messaging.carrier_alarms import tell_of_carrier

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Tell what changed; returns 1 where something had."""
    news = await tell_of_carrier(work.database, now=work.now())
    if news is None:
        return 0
    if news == CARRIER_ANSWERS:
        _log.warning(news)
    else:
        _log.error(news)
    return 1
