"""Read what survivors wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.confirming import confirm_by_text
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.identity.tasks import open_task
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.answers import Answer
from referralnet.messaging.ending import ending_wishes
from referralnet.messaging.inbound import (
    Asked,
    Received,
    answer_in_custody,
    answer_number,
    pause_texts,
    take_inbound,
    task_about,
    waiting_inbound,
)
from referralnet.referrals.withdrawing import withdraw_by_text
from referralnet.survivors.contact_plans import CONFIRMS_NUMBER_TASK


async def run(work: Work) -> int:
    """Handle every waiting text in the order it came; returns how many."""
    async with work.database.transaction(Dispatcher()) as session:
        waiting = await waiting_inbound(session)
    return await one_by_one(work, "read_inbound", waiting, partial(_handle, work))


async def _handle(work: Work, inbound_id: UUID) -> int:
    # The text stays locked until every custody has acted; after a crash all of it is done again, and each part is the
    # same when done twice.
    async with work.database.transaction(Dispatcher()) as session:
        received = await take_inbound(session, work.keyring, inbound_id, now=work.now())
        if received is None:
            return 0
        agency_ids = (await session.scalars(text("select id from agency order by id"))).all()
        received = await _in_every_custody(work, received, [UUID(str(agency_id)) for agency_id in agency_ids])
        await answer_number(session, work.keyring, received, now=work.now())
    return 1


async def _in_every_custody(work: Work, received: Received, agency_ids: list[UUID]) -> Received:
    """Answer in each custody. What is returned holds for the number: a proven START is one there, too."""
    asked: list[tuple[datetime, UUID, Asked]] = []
    starts = False
    for agency_id in agency_ids:
        async with work.database.transaction(Custodian(agency_id)) as session:
            effect = await answer_in_custody(session, work.keyring, agency_id, received, now=work.now())
            if received.answer is Answer.END_EVERYTHING:
                await _end_everything(work, session, agency_id, received)
        asked += [(one.asked_at, agency_id, one) for one in effect.asked]
        starts = starts or effect.starts
    if asked:
        _, agency_id, last_asked = max(asked, key=lambda item: item[0])
        await _confirm(work, agency_id, last_asked)
    return replace(received, answer=Answer.OPT_IN) if starts else received


async def _end_everything(work: Work, session: AsyncSession, agency_id: UUID, received: Received) -> None:
    """In one transaction with all that stands on her consent in this custody (C4)."""
    now = work.now()
    for wish in await ending_wishes(session, work.keyring, received):
        reason, task = "staff", "survivor_may_end_consent"
        if wish.is_proven:
            reason, task = "consent_withdrawn", "consent_ended_by_text"
            await withdraw_by_text(session, wish.survivor_id, now=now)
        await pause_texts(session, wish.plan_id, wish.survivor_id, reason, now)
        await task_about(session, agency_id, task, wish.survivor_id, now=now)


async def _confirm(work: Work, agency_id: UUID, asked: Asked) -> None:
    now = work.now()
    async with work.database.transaction(Custodian(agency_id)) as session:
        if asked.appointment_id is None:
            # Whoever holds the phone can write "1": a person keeps her plan anew, and sees whether it was proven.
            await task_about(session, agency_id, CONFIRMS_NUMBER_TASK, asked.subject_id, reason=asked.proof, now=now)
        elif not await confirm_by_text(session, asked.appointment_id, now=now):
            await open_task(
                session,
                agency_id=agency_id,
                kind="confirmation_too_late",
                subject_kind="referral",
                subject_id=asked.subject_id,
                now=now,
            )
