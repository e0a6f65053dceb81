"""Mark somebody who may sign for her as abuser: all that they signed ends, with what stands on it, at once (C7)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.ending import end_for_marked_signer
from referralnet.consent.withdrawal_lock import close_consent
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import open_task
from referralnet.referrals.closing import close_referrals, stop_texts_about
from referralnet.referrals.routing import hold_plans
from referralnet.referrals.tables import SurvivorReferral
from referralnet.survivors.abuser_marks import AbuserOf, keep_mark
from referralnet.survivors.checking import coded
from referralnet.survivors.signers import whose_signer

TASK = "signer_marked_as_abuser"


async def mark_signer_as_abuser(
    session: AsyncSession, actor: Member, signer_id: UUID, *, abuser_of: AbuserOf, now: datetime
) -> UUID:
    """Say that somebody who may sign for her has abused her or her other parent; from the commit on they may not.

    Every release in force that they signed ends with its key, the referrals that stand on it close, and the texts about
    them stop, in this transaction. Who signs instead is a task of her coordinator's.

    Returns:
        the mark's id.

    Raises:
        NotFound: nobody such in this custody.
        InvalidInput: field ``abuser_of``.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    abuser_of = coded(AbuserOf, abuser_of, field="abuser_of")
    # Her own lock first: it waits for whoever is signing, and lets nobody begin.
    await close_consent(session, await whose_signer(session, signer_id))
    survivor_id = await whose_signer(session, signer_id)
    ended = await end_for_marked_signer(session, actor, survivor_id, signer_id, now=now)
    mark_id = await keep_mark(session, actor, survivor_id, signer_id, abuser_of, now=now)
    if ended:
        await hold_plans(session, survivor_id, everything=True)
        closed = await close_referrals(session, SurvivorReferral.release_id.in_(ended), now=now)
        await stop_texts_about(session, closed, now=now)
        await open_task(
            session, agency_id=actor.agency_id, kind=TASK, subject_kind="survivor", subject_id=survivor_id, now=now
        )
    return mark_id
