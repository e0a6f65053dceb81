"""Read what survivors wrote."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.confirming import confirm_by_text
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.identity.failing import Row, RowsFailed
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
    hold_number_of,
    leave_inbound,
    number_of_inbound,
    pause_texts,
    settle_inbound,
    stop_number,
    take_inbound,
    task_about,
    waiting_inbound,
)
from referralnet.messaging.proving import plans_of_number
from referralnet.referrals.withdrawing import withdraw_by_text
from referralnet.survivors.contact_plans import CONFIRMS_NUMBER_TASK

_JOB = "read_inbound"


async def run(work: Work) -> int:
    """Handle every waiting text in the order it came; returns how many."""
    return await one_by_one(work, _JOB, waiting_inbound, partial(_handle, work), row=_row)


def _row(inbound_id: UUID, agency_id: UUID | None = None, survivor_id: UUID | None = None) -> Row:
    if survivor_id is None:
        return Row(_JOB, inbound_id, None, "inbound_text", inbound_id)
    return Row(_JOB, inbound_id, agency_id, "survivor", survivor_id)


async def _handle(work: Work, inbound_id: UUID) -> int:
    # The text stays locked until every custody has acted; after a crash all of it is done again, and each part is the
    # same when done twice.
    received: Received | None = None
    try:
        async with work.database.transaction(Dispatcher()) as session:
            received = await take_inbound(session, work.keyring, inbound_id)
            if received is None:
                return 0
            if received.stops_number and received.waits_in is None:
                # By itself and before everything else: it holds, whatever becomes of the rest.
                async with work.database.transaction(Dispatcher()) as beside:
                    await stop_number(beside, work.keyring, received, now=work.now())
            answered = await _in_custodies(work, received, received.waits_in or await _agencies(session))
            if answered.failed:
                await leave_inbound(session, received, answered.comes_again_in, now=work.now())
            else:
                await answer_number(session, work.keyring, answered.as_read, now=work.now())
                await settle_inbound(session, received, now=work.now())
    except Exception as error:
        raise RowsFailed(await _hold_and_say_whose(work, inbound_id, received)) from error
    if answered.failed:
        rows = await _whose(work, inbound_id, received.phone_lookup, tuple(answered.failed))
        raise RowsFailed(rows) from next(iter(answered.failed.values()))
    return 1


@dataclass(frozen=True, slots=True)
class _Answered:
    """What became of a text in the custodies, and what it asks for: a proven START is one for the number, too."""

    as_read: Received
    failed: dict[UUID, Exception]
    comes_again_in: tuple[UUID, ...]


async def _agencies(session: AsyncSession) -> tuple[UUID, ...]:
    agency_ids = (await session.scalars(text("select id from agency order by id"))).all()
    return tuple(UUID(str(agency_id)) for agency_id in agency_ids)


async def _in_custodies(work: Work, received: Received, agency_ids: tuple[UUID, ...]) -> _Answered:
    """Answer in each custody; one that fails keeps no other from learning what she wrote."""
    asked: list[tuple[datetime, UUID, Asked]] = []
    failed: dict[UUID, Exception] = {}
    starts = False
    for agency_id in agency_ids:
        try:
            async with work.database.transaction(Custodian(agency_id)) as session:
                effect = await answer_in_custody(session, work.keyring, agency_id, received, now=work.now())
                if received.answer is Answer.END_EVERYTHING:
                    await _end_everything(work, session, agency_id, received)
        except Exception as error:  # noqa: BLE001 (whatever it is, she wrote to the others as well)
            failed[agency_id] = error
            continue
        asked += [(one.asked_at, agency_id, one) for one in effect.asked]
        starts = starts or effect.starts
    if failed and received.answer is Answer.CONFIRM:
        # What was asked last may be known to the one that failed. Nothing was done yet, and all of it is done again.
        return _Answered(received, failed, ())
    if asked:
        _, agency_id, last_asked = max(asked, key=lambda item: item[0])
        await _confirm(work, agency_id, last_asked)
    as_read = replace(received, answer=Answer.OPT_IN) if starts else received
    return _Answered(as_read, failed, tuple(failed))


async def _hold_and_say_whose(work: Work, inbound_id: UUID, received: Received | None) -> list[Row]:
    """A text failed as a whole. Where it may ask to stop, its number is not texted until it is handled."""
    async with work.database.transaction(Dispatcher()) as session:
        if received is None or received.answer is Answer.UNSAFE:
            await hold_number_of(session, inbound_id, now=work.now())
        lookup = await number_of_inbound(session, inbound_id)
        agency_ids = await _agencies(session)
    return [_row(inbound_id)] if lookup is None else await _whose(work, inbound_id, lookup, agency_ids)


async def _whose(work: Work, inbound_id: UUID, phone_lookup: bytes, agency_ids: tuple[UUID, ...]) -> list[Row]:
    """Who may have written it, for the people who would have read it."""
    rows: list[Row] = []
    for agency_id in agency_ids:
        # A custody in which not even this works has no task of it: whoever runs the network has.
        with contextlib.suppress(Exception):
            async with work.database.transaction(Custodian(agency_id)) as session:
                plans = await plans_of_number(session, phone_lookup)
            rows += [_row(inbound_id, agency_id, plan.survivor_id) for plan in plans]
    return rows or [_row(inbound_id)]


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
