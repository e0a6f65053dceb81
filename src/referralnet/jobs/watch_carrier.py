"""Tell people when texts wait: the carrier is silent or refuses the account, or they are held; and when it is over."""

from __future__ import annotations

import structlog

from referralnet.identity.tasks import CARRIER_ANSWERS
from referralnet.jobs.work import Work
from referralnet.messaging.carrier_alarms import tell_of_carrier, tell_of_held_texts

_log = structlog.get_logger("referralnet.jobs")


async def run(work: Work) -> int:
    """Tell what changed; returns 1 where something had."""
    are_held = await tell_of_held_texts(work.database, now=work.now())
    if are_held:
        _log.error("texts_are_held", operation="referralnet texts allow")
    news = await tell_of_carrier(work.database, now=work.now())
    if news is None:
        return int(are_held is not None)
    if news == CARRIER_ANSWERS:
        _log.warning(news)
    else:
        _log.error(news)
    return 1
