"""What is news to her: an answer to a referral of hers, and that it ran out. Told only while she lets it (C4, C5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from referralnet.clock import FixedClock
from referralnet.consent.ending import Via
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import climb_ladders, plan_texts
from referralnet.referrals.answering import accept, complete, reject, waitlist
from referralnet.referrals.lifecycle import Outcome, RejectReason
from referralnet.referrals.withdrawing import withdraw_consent, withdraw_referral
from referralnet.survivors.contact_plans import keep_contact_plan
from tests.factories.referrals import Look, Network, Sent, present, run, send
from tests.factories.survivors import new_plan
from tests.factories.work import make_work

NO = {"reason": RejectReason.NO_CAPACITY}
ANSWERS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "accept": (accept, {}),
    "waitlist": (waitlist, {}),
    "reject": (reject, NO),
}


async def told_by_text(app: Database, network: Network, keyring: Keyring) -> Sent:
    """A referral of a survivor who chose to be told of news by text."""
    sent = await send(app, network, keyring, now=present())
    plan = new_plan(status_digest=True)
    await run(app, network.coordinator, keep_contact_plan, sent.survivor_id, plan, keyring=keyring, now=present())
    return sent


async def news_of(look: Look, sent: Sent) -> int:
    return len(await look("select 1 from notice where referral_id = $1 and kind = 'referral_news'", sent.id))


async def digests_to(look: Look, sent: Sent) -> list[str]:
    rows = await look(
        "select state from text_message where survivor_id = $1 and kind = 'status_digest'", sent.survivor_id
    )
    return [row["state"] for row in rows]


@pytest.mark.rule("C5")
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_is_news_and_becomes_one_text(
    app: Database, worker: Database, network: Network, keyring: Keyring, look: Look, answer: str
) -> None:
    sent = await told_by_text(app, network, keyring)
    function, more = ANSWERS[answer]
    await run(app, network.intake, function, sent.id, now=present(), **more)
    assert await news_of(look, sent) == 1
    await plan_texts.run(make_work(worker, keyring))
    assert await digests_to(look, sent) == ["scheduled"]


async def test_a_referral_that_ran_out_is_news(
    app: Database, worker: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await told_by_text(app, network, keyring)
    await climb_ladders.run(make_work(worker, keyring, FixedClock(present() + timedelta(days=30))))
    assert await news_of(look, sent) == 1


async def test_what_her_own_agency_does_and_what_follows_an_answer_is_no_news(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await told_by_text(app, network, keyring)
    await run(app, network.coordinator, withdraw_referral, sent.id, now=present())
    assert await news_of(look, sent) == 0
    other = await told_by_text(app, network, keyring)
    await run(app, network.intake, accept, other.id, now=present())
    await run(app, network.intake, complete, other.id, outcome=Outcome.SERVICES_RECEIVED, now=present())
    assert await news_of(look, other) == 1


@pytest.mark.rule("C4")
@pytest.mark.parametrize("planned", [True, False])
async def test_after_a_withdrawal_there_is_nothing_to_tell(
    app: Database, worker: Database, network: Network, keyring: Keyring, look: Look, planned: bool
) -> None:
    sent = await told_by_text(app, network, keyring)
    await run(app, network.intake, accept, sent.id, now=present())
    work = make_work(worker, keyring)
    if planned:
        await plan_texts.run(work)
    await run(app, network.coordinator, withdraw_consent, survivor_id=sent.survivor_id, via=Via.ORAL, now=present())
    await plan_texts.run(work)
    assert set(await digests_to(look, sent)) <= {"cancelled"}
