"""How long an answer may take, as whoever keeps the network says; what was sent keeps the deadline it was sent with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.referrals.policy import ANSWER_WITHIN, AnswerWithin, BusinessDays, Hours
from referralnet.referrals.tables import AnswerPolicyRow
from referralnet.survivors.needs import Urgency


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """How long whoever is asked has: hours that pass day and night, and business days where the target is."""

    urgent_hours: int
    priority_hours: int
    routine_business_days: int

    @property
    def within(self) -> AnswerWithin:
        """By urgency."""
        return {
            Urgency.URGENT: Hours(self.urgent_hours),
            Urgency.PRIORITY: Hours(self.priority_hours),
            Urgency.ROUTINE: BusinessDays(self.routine_business_days),
        }


DEFAULT = AnswerPolicy(
    ANSWER_WITHIN[Urgency.URGENT].count, ANSWER_WITHIN[Urgency.PRIORITY].count, ANSWER_WITHIN[Urgency.ROUTINE].count
)
"""What holds until the network says something else."""
# The database holds the same bounds. Whoever needs a bed tonight does not wait for days until the next service is
# asked; and who has less than an hour to answer is asked by telephone.
BOUNDS = {"urgent_hours": (1, 24), "priority_hours": (1, 72), "routine_business_days": (1, 10)}
DETAILS = ("From 1 to 24 hours.", "From 1 to 72 hours.", "From 1 to 10 business days.", "Not less than an urgent one.")
"""What refusals say more, in the order of the fields, and of hours that are the wrong way round."""
ANSWER_POLICY = (AnswerPolicyRow.urgent_hours, AnswerPolicyRow.priority_hours, AnswerPolicyRow.routine_business_days)
"""The columns that `policy_of` reads."""


def policy_of(said: Sequence[int | None]) -> AnswerPolicy:
    """What holds where the network has said this, or with None nothing. Pure."""
    figures = [figure for figure in said if figure is not None]
    return AnswerPolicy(*figures) if figures else DEFAULT


async def read_answer_policy(session: AsyncSession) -> AnswerPolicy:
    """What holds for every referral that is sent from now on."""
    row = (await session.execute(select(*ANSWER_POLICY))).one_or_none()
    return DEFAULT if row is None else AnswerPolicy(*row)


async def keep_answer_policy(session: AsyncSession, actor: Member, policy: AnswerPolicy, *, now: datetime) -> None:
    """Say how long an answer may take from now on. Referrals that were sent keep their deadline and their ladder.

    Raises:
        NotPermitted: not a network admin. InvalidInput: naming the field.
    """
    require(actor, Permission.KEEP_DEADLINES)
    require_reasonable(policy)
    figures = dict(zip(BOUNDS, astuple(policy), strict=True))
    values = {**figures, "changed_by": actor.member_id, "changed_at": now}
    row = insert(AnswerPolicyRow).values(one=True, **values)
    await session.execute(row.on_conflict_do_update(index_elements=[AnswerPolicyRow.one], set_=values).inline())
    await record(session, Action.DEADLINES_CHANGED, "agency", actor.agency_id, **figures)


def require_reasonable(policy: AnswerPolicy) -> None:
    """Raise InvalidInput, naming the first field that is out of bounds."""
    for (field, (least, most)), figure, detail in zip(BOUNDS.items(), astuple(policy), DETAILS[:3], strict=True):
        if not least <= figure <= most:
            raise InvalidInput(field=field, detail=detail)
    if policy.priority_hours < policy.urgent_hours:
        raise InvalidInput(field="priority_hours", detail=DETAILS[3])
