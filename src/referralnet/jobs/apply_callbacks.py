"""Apply what the carrier reported."""

from __future__ import annotations

from referralnet.identity.failing import Row
from referralnet.jobs.one_by_one import one_by_one
from referralnet.jobs.work import Work
from referralnet.messaging.callbacks import StoredReport, handle_callback, unhandled_callbacks

_JOB = "apply_callbacks"


async def run(work: Work) -> int:
    """Apply every waiting report, each in the custody of its text; returns how many."""

    async def apply(stored: StoredReport) -> int:
        async with work.database.transaction(stored.text.custody) as session:
            return int(await handle_callback(session, stored, keyring=work.keyring, now=work.now()))

    return await one_by_one(work, _JOB, unhandled_callbacks, apply, row=_row, first=500)


def _row(stored: StoredReport) -> Row:
    return Row(_JOB, stored.id, stored.text.agency_id, "text_message", stored.text.id)
