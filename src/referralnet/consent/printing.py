"""A release as it is printed for her: what she agreed to, and between which agencies; the printing is in the trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.releases import ReleaseRow, find_release
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import agency
from referralnet.identity.step_up import require_fresh


@dataclass(frozen=True, slots=True)
class PrintedRelease:
    """A release, the names of its two agencies, and the time zone of the one that keeps it."""

    row: ReleaseRow
    custodian: str
    recipient: str
    time_zone: str


async def release_to_print(session: AsyncSession, actor: Member, release_id: UUID, *, now: datetime) -> PrintedRelease:
    """One release of this custody, proposed, in force or ended.

    Raises:
        StepUpNeeded: no second factor within the last five minutes: a paper leaves the house.
        NotFound: there is none such.
    """
    require(actor, Permission.RECORD_RELEASES)
    require_fresh(actor, now)
    row = await find_release(session, release_id)
    custodian = await agency(session, actor.agency_id)
    recipient = await agency(session, row.recipient_agency_id)
    await record(session, Action.RELEASE_PRINTED, "release", release_id)
    return PrintedRelease(row, custodian.name, recipient.name, custodian.time_zone)
