"""The survivor answers that she will come; the worker writes it down in the custodian's custody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.tables import Appointment, AppointmentStatus
from referralnet.audit.recording import Action, record


async def confirm_by_text(session: AsyncSession, appointment_id: UUID, *, now: datetime) -> bool:
    """Whether the appointment stands confirmed now: it is this custodian's, booked, and still to come.

    A second answer changes nothing: the first confirmation's time is kept.
    """
    confirmed = await session.scalar(
        update(Appointment)
        .where(
            Appointment.id == appointment_id,
            Appointment.status == AppointmentStatus.BOOKED,
            Appointment.starts_at > now,
        )
        .values(confirmed_at=func.coalesce(Appointment.confirmed_at, now))
        .returning(Appointment.id)
        .execution_options(synchronize_session=False)
    )
    if confirmed is None:
        return False
    await record(session, Action.APPOINTMENT_CHANGED, "appointment", appointment_id, change="confirmed")
    return True
