"""What a person has said before of records that look like one person's (likeness.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.survivors.likeness import Likeness
from referralnet.survivors.tables import SurvivorLikeness

JUDGED_MAX = 50


@dataclass(frozen=True, slots=True)
class Judged:
    """A word that stands: what was said of this record and another, and when."""

    other_id: UUID
    decision: Likeness
    gave_way: bool
    """Of one person's two records: whether the other is the one that is kept."""
    decided_at: datetime


async def judged_before(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[Judged]:
    """The words that stand on this record, newest first; those taken back are left out."""
    require(actor, Permission.KEEP_SURVIVORS)
    columns = select(
        SurvivorLikeness.survivor_id, SurvivorLikeness.other_id, SurvivorLikeness.decision, SurvivorLikeness.decided_at
    )
    of_it = or_(SurvivorLikeness.survivor_id == survivor_id, SurvivorLikeness.other_id == survivor_id)
    standing = columns.where(of_it, SurvivorLikeness.undone_at.is_(None))
    newest = standing.order_by(SurvivorLikeness.decided_at.desc(), SurvivorLikeness.id).limit(JUDGED_MAX)
    found = []
    for kept_id, other_id, decision, decided_at in await session.execute(newest):
        is_kept, said = kept_id == survivor_id, Likeness(decision)
        gave_way = said is Likeness.SAME and not is_kept
        found.append(Judged(other_id if is_kept else kept_id, said, gave_way, decided_at))
    return found
