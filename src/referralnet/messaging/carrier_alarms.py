"""People who run the network learn that the carrier is silent, and that it answers again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import AgencyKind, Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.identity.agencies import list_agencies
from referralnet.identity.tasks import CARRIER_ANSWERS, CARRIER_SILENT, open_task, settle_tasks
from referralnet.messaging.tables import CarrierState


async def tell_of_carrier(database: Database, *, now: datetime) -> bool | None:
    """Open an alarm at the network's operator when the carrier has fallen silent, and settle it when it answers.

    Returns:
        whether the carrier is silent, where that was told just now; None where there was nothing to tell.
    """
    async with database.transaction(Dispatcher()) as session:
        # Held until all were told: whoever dies in between is followed by the next look.
        columns = select(CarrierState.silent_since, CarrierState.told_at).with_for_update(skip_locked=True)
        state = (await session.execute(columns)).one_or_none()
        if state is None or (state.silent_since is None) == (state.told_at is None):
            return None
        is_silent = state.silent_since is not None
        for agency_id in await _operators(session):
            async with database.transaction(Custodian(agency_id)) as custody:
                await _tell(custody, agency_id, is_silent, now)
        await session.execute(update(CarrierState).values(told_at=now if is_silent else None))
    return is_silent


async def _operators(session: AsyncSession) -> Sequence[UUID]:
    agencies = await list_agencies(session)
    return [agency.id for agency in agencies if agency.kind is AgencyKind.NETWORK_OPERATOR]


async def _tell(session: AsyncSession, agency_id: UUID, is_silent: bool, now: datetime) -> None:
    news, over = (CARRIER_SILENT, CARRIER_ANSWERS) if is_silent else (CARRIER_ANSWERS, CARRIER_SILENT)
    await settle_tasks(session, over, agency_id, now=now)
    await open_task(session, agency_id=agency_id, kind=news, subject_kind="agency", subject_id=agency_id, now=now)
