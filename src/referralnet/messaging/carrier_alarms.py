"""People who run the network learn that texts wait: the carrier is silent or refuses the account, or they are held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import AgencyKind, Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.identity.agencies import list_agencies
from referralnet.identity.tasks import (
    ACCOUNT_REFUSED,
    CARRIER_ANSWERS,
    CARRIER_SILENT,
    TEXTS_HELD,
    open_task,
    settle_tasks,
)
from referralnet.messaging.permit import may_send
from referralnet.messaging.tables import CarrierState

_KINDS = (CARRIER_SILENT, ACCOUNT_REFUSED, CARRIER_ANSWERS)


async def tell_of_carrier(database: Database, *, now: datetime) -> str | None:
    """Open an alarm when the carrier has fallen silent or refuses the account, and settle it when it answers.

    It is one alarm, however many texts wait and however many tries find the same: at the network's operator. Where the
    operator is no agency, a refused account, which does not mend itself, is told to the admins of every agency.

    Returns:
        the kind of alarm that was opened just now; None where there was nothing to tell.
    """
    async with database.transaction(Dispatcher()) as session:
        # Held until all were told: whoever dies in between is followed by the next look.
        columns = select(CarrierState.silent_since, CarrierState.refused_code, CarrierState.told_of)
        state = (await session.execute(columns.with_for_update(skip_locked=True))).one_or_none()
        if state is None or (trouble := _trouble(state.silent_since, state.refused_code)) == state.told_of:
            return None
        news = trouble or CARRIER_ANSWERS
        for agency_id in await _people(session, is_of_account=ACCOUNT_REFUSED in (trouble, state.told_of)):
            async with database.transaction(Custodian(agency_id)) as custody:
                await _tell(custody, agency_id, news, state.refused_code, now)
        await session.execute(update(CarrierState).values(told_of=trouble))
    return news


async def tell_of_held_texts(database: Database, *, now: datetime) -> bool | None:
    """Open an alarm at the network's operator while texts are held (M11), and settle it once they are allowed.

    Returns:
        whether they are held, where that was told just now; None where there was nothing to tell.
    """
    async with database.transaction(Dispatcher()) as session:
        told = await session.scalar(select(CarrierState.told_held).with_for_update(skip_locked=True))
        are_held = not await may_send(session)
        if told is None or told == are_held:
            return None
        for agency_id in await _people(session, is_of_account=False):
            async with database.transaction(Custodian(agency_id)) as custody:
                if are_held:
                    await open_task(
                        custody, agency_id=agency_id, kind=TEXTS_HELD, subject_kind="agency", subject_id=agency_id,
                        now=now,
                    )  # fmt: skip
                else:
                    await settle_tasks(custody, TEXTS_HELD, agency_id, now=now)
        await session.execute(update(CarrierState).values(told_held=are_held))
    return are_held


def _trouble(silent_since: datetime | None, refused_code: str | None) -> str | None:
    if silent_since is None:
        return None
    return CARRIER_SILENT if refused_code is None else ACCOUNT_REFUSED


async def _people(session: AsyncSession, *, is_of_account: bool) -> Sequence[UUID]:
    agencies = await list_agencies(session)
    operators = [agency.id for agency in agencies if agency.kind is AgencyKind.NETWORK_OPERATOR]
    return operators or [agency.id for agency in agencies if is_of_account]


async def _tell(session: AsyncSession, agency_id: UUID, news: str, code: str | None, now: datetime) -> None:
    for over in _KINDS:
        if over != news:
            await settle_tasks(session, over, agency_id, now=now)
    detail = {"reason": code} if code is not None else None
    await open_task(
        session, agency_id=agency_id, kind=news, subject_kind="agency", subject_id=agency_id, now=now, detail=detail
    )
