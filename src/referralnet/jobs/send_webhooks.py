"""Tell agencies' own systems what has happened."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from uuid import UUID

from referralnet.database.acting import Custodian, Dispatcher
from referralnet.identity.failing import Row, failing_rows, note_failure
from referralnet.jobs.work import Work
from referralnet.partners.delivering import Due, claim, due_deliveries, settle
from referralnet.partners.posting import Answer

_JOB = "send_webhooks"


async def run(work: Work) -> int:
    """Deliver what is due, endpoints side by side and each in turn; returns how many were taken."""
    delivered = 0
    while not work.stopping.is_set():
        async with work.database.transaction(Dispatcher()) as session:
            pausing = {row_id for row_id, at in (await failing_rows(session, _JOB)).items() if at > work.now()}
            due = await due_deliveries(session, now=work.now(), first=200 + len(pausing), each=20 + len(pausing))
        of_endpoint: dict[UUID, list[Due]] = defaultdict(list)
        for one in due:
            if one.id not in pausing:
                of_endpoint[one.webhook_id].append(one)
        taken = await asyncio.gather(*(_deliver_in_turn(work, some) for some in of_endpoint.values()))
        delivered += sum(taken)
        if not any(taken):
            break
    return delivered


async def _deliver_in_turn(work: Work, due: list[Due]) -> int:
    """One after another, until the endpoint does not take one; returns how many it took."""
    taken = 0
    for one in due:
        try:
            answer = None if work.stopping.is_set() else await _deliver(work, one)
        except Exception as error:  # noqa: BLE001 (the others are somebody's as well)
            row = Row(_JOB, one.id, None, "webhook_delivery", one.id)
            async with work.database.transaction(row.custody) as session:
                await note_failure(session, row, error, now=work.now())
            continue
        if answer is not None and not answer.taken:
            break
        taken += answer is not None
    return taken


async def _deliver(work: Work, due: Due) -> Answer | None:
    """What the endpoint answered, or None where it is not to be told, or another worker tells it."""
    custodian = Custodian(due.agency_id)
    async with work.database.transaction(custodian) as session:
        claimed = await claim(session, custodian, due.id, keyring=work.keyring, now=work.now())
    if claimed is None:
        return None
    # Between the transactions: a partner that is slow holds no lock, and what it was told cannot be taken back.
    answer = await work.posting.post(claimed.url, claimed.body, claimed.headers)
    async with work.database.transaction(custodian) as session:
        await settle(session, claimed, answer, now=work.now())
    return answer
