"""How often one member may do within an hour what shows people: enough for work, too little to copy a register (A5)."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action
from referralnet.errors import Refusal

# Policy of the network, for one member and one hour, counted in the trail.
PER_HOUR_MAX = {
    Action.SURVIVOR_REVEALED: 60,
    Action.SURVIVOR_HISTORY_READ: 30,
    Action.DISCLOSURE_READ: 60,
    Action.CONTACT_PLANS_READ: 60,
    Action.SURVIVOR_WORDS_READ: 60,
    Action.ACCOUNTING_READ: 60,
    Action.SURVIVORS_SEARCHED: 120,
    Action.SURVIVORS_COMPARED: 120,
    Action.ATTEMPT_REFUSED: 120,
}


class HourlyCapReached(Refusal):
    """You have done this as often as one person may within an hour. Wait, or ask a colleague."""

    code = "HOURLY_CAP_REACHED"
    audited = True


async def require_below_cap(session: AsyncSession, action: Action) -> None:
    """Raise HourlyCapReached where the acting member did this as often as the last hour allows.

    Call it before the act is recorded, and before anything is looked for: the answer must not depend on what is there.
    What opens identity is capped by the database as well, which tells the agency's admins of the last one. Requests of
    one member wait for one another from here on.
    """
    done = await session.scalar(select(func.acts_within_the_hour(str(action))))
    if (done or 0) >= PER_HOUR_MAX[action]:
        raise HourlyCapReached
