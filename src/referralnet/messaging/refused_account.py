"""The carrier refuses the network's account: no number's fault. Texts wait, and people who can mend it are told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.identity.tasks import ACCOUNT_REFUSED, open_task
from referralnet.messaging.carriers.meanings import meaning_of

_log = structlog.get_logger("referralnet.messaging")


async def tell_of_refused_account(session: AsyncSession, agency_id: UUID | None, code: str, *, now: datetime) -> None:
    """Tell the operator by the log, and the admins of the agency whose text waits by one alarm, however many wait."""
    _log.error("carrier_refuses_account", code=code, reason=meaning_of(code))
    if agency_id is not None:
        await open_task(
            session,
            agency_id=agency_id,
            kind=ACCOUNT_REFUSED,
            subject_kind="agency",
            subject_id=agency_id,
            now=now,
            detail={"reason": code},
        )
