"""Every order in which a carrier may report, with repetitions, before and after our own mark, through webhook and job:
where a text ends depends on what was said alone, and never does it step back (M7).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from itertools import combinations, permutations
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import apply_callbacks
from referralnet.jobs.work import Work
from referralnet.messaging.callbacks import RANK
from referralnet.messaging.carriers.twilio import SIGNATURE_HEADER, STATES, TwilioWebhooks, signature_of
from referralnet.messaging.tables import TextState
from referralnet.webhooks.carriers import routes
from tests.databases import DatabaseUrls
from tests.factories.messaging import make_case, superuser
from tests.factories.work import make_work

TOKEN = "a-token-of-the-test"
PUBLIC = "https://texts.example.test"
SAID = ("queued", "sending", "sent", "delivered", "undelivered", "failed")
CODES = {"undelivered": "30003", "failed": "30008"}
COUNT_MAX = len(SAID) if int(os.environ.get("REFERRALNET_TEST_HISTORIES", "0")) >= 1_000 else 3
PARTS = 2
"""Of the orders from each state, so that two processors are done at the same time."""
BEFORE_OUR_MARK = ("claimed", "unknown")
AFTER_OUR_MARK = ("accepted",)
ROW = """
    insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at, send_before,
      occurrence, state, state_at, fence, lease_until, carrier_sid, created_at)
    select id, $2, $3, $4, 'status_digest', 1, $5, $5, $5::timestamptz + interval '2 hours', '{}', $6, $5, 1,
      case when $6 = 'claimed' then $5::timestamptz + interval '1 hour' end,
      case when $6 = 'accepted' then 'SM' || id end, $5 from unnest($1::uuid[]) id
"""


class Reports:
    """Posts what the carrier says, as the carrier does, and lets the worker apply it."""

    def __init__(self, web: httpx2.AsyncClient, work: Work, urls: DatabaseUrls) -> None:
        self._web, self._work, self._urls = web, work, urls

    async def make(self, state: str, count: int, keyring: Keyring, clock: FixedClock) -> list[UUID]:
        """Texts in a state of before or after our own mark."""
        case = await make_case(self._urls, self._work.database, keyring, now=clock.now())
        ids = [uuid4() for _ in range(count)]
        async with superuser(self._urls) as db:
            await db.execute("drop index if exists text_message_one_waits_key")
            await db.execute("drop index if exists text_message_once_key")
            await db.execute(ROW, ids, case.agency_id, case.survivor_id, case.survivor_id, clock.now(), state)
        return ids

    async def say(self, told: Sequence[tuple[UUID, str]]) -> None:
        """One report for each text, and then a look of the job."""
        for text_id, status in told:
            path = f"/webhooks/twilio/status?text={text_id}"
            form = {"MessageSid": f"SM{text_id}", "MessageStatus": status}
            if status in CODES:
                form["ErrorCode"] = CODES[status]
            signature = signature_of(TOKEN, PUBLIC + path, form)
            answer = await self._web.post(path, data=form, headers={SIGNATURE_HEADER: signature})
            assert answer.status_code == 200
        while await apply_callbacks.run(self._work):
            pass

    async def stand(self, ids: Sequence[UUID]) -> list[tuple[TextState, str | None]]:
        async with superuser(self._urls) as db:
            rows = await db.fetch("select id, state, error_code from text_message where id = any ($1)", list(ids))
        by_id = {row["id"]: (TextState(row["state"]), row["error_code"]) for row in rows}
        return [by_id[text_id] for text_id in ids]


@pytest.fixture
async def reports(
    app: Database, worker: Database, keyring: Keyring, clock: FixedClock, database_urls: DatabaseUrls
) -> AsyncIterator[Reports]:
    webhooks = routes(app, keyring, clock, [TwilioWebhooks(TOKEN)], public_base_url=PUBLIC)
    transport = httpx2.ASGITransport(Starlette(routes=webhooks))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC) as web:
        yield Reports(web, make_work(worker, keyring, clock), database_urls)


def expected(said: Sequence[str]) -> tuple[TextState, str | None]:
    last = max(said, key=lambda status: RANK[STATES[status]])
    return STATES[last], CODES.get(last)


@pytest.mark.slow
@pytest.mark.rule("M7")
@pytest.mark.parametrize("state", BEFORE_OUR_MARK + AFTER_OUR_MARK)
@pytest.mark.parametrize("part", range(PARTS))
async def test_every_order_of_every_set_of_reports_ends_the_same(
    reports: Reports, keyring: Keyring, clock: FixedClock, state: str, part: int
) -> None:
    # The job looks after each report of each text. In all 1,956 orders, of which each repeats its first report at the
    # end; by default those of at most three different reports, 156.
    orders = [
        (*order, order[0])
        for count in range(1, COUNT_MAX + 1)
        for said in combinations(SAID, count)
        for order in permutations(said)
    ][part::PARTS]
    ids = await reports.make(state, len(orders), keyring, clock)
    ranks = [RANK.get(TextState(state), 0)] * len(orders)
    for step in range(len(SAID) + 1):
        going = [(number, order[step]) for number, order in enumerate(orders) if step < len(order)]
        await reports.say([(ids[number], status) for number, status in going])
        now = [RANK[stands] for stands, _ in await reports.stand([ids[number] for number, _ in going])]
        for (number, _), rank in zip(going, now, strict=True):
            assert rank >= ranks[number], orders[number]
            ranks[number] = rank
    ends = await reports.stand(ids)
    assert [end for end, order in zip(ends, orders, strict=True) if end != expected(order)] == []
