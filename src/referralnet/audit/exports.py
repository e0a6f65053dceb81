"""Who made an exported file: by the serial that stands in each of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action
from referralnet.audit.tables import AuditEvent


@dataclass(frozen=True, slots=True)
class ExportMade:
    """What the trail tells of one export."""

    agency_id: UUID
    member_id: UUID
    at: datetime
    rows: int
    with_identity: bool


async def find_export(session: AsyncSession, serial: UUID) -> ExportMade | None:
    """The export of that serial, for the operator; None where the trail knows none."""
    columns = select(AuditEvent.agency_id, AuditEvent.member_id, AuditEvent.at, AuditEvent.detail)
    made = columns.where(AuditEvent.subject_id == serial, AuditEvent.action == Action.REFERRALS_EXPORTED)
    row = (await session.execute(made.order_by(AuditEvent.at).limit(1))).one_or_none()
    if row is None or row.member_id is None:
        return None
    detail = row.detail
    return ExportMade(row.agency_id, row.member_id, row.at, int(detail["rows"]), bool(detail["with_identity"]))
