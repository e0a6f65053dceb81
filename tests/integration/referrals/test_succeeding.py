"""A release takes another's place while referrals stand on it: nothing is lost, and what she left out is gone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.minors import Signer
from referralnet.consent.proposing import propose_renewal
from referralnet.consent.refusals import (
    CategoryNotReleased,
    NoLiveRelease,
    NothingLeftToRelease,
    ReleaseNotProposed,
    ReleaseReplaced,
    ReleaseWithdrawn,
)
from referralnet.consent.releases import Ended, Method, ReleaseStatus, Succession, release
from referralnet.consent.signing import Signed
from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted, Refusal
from referralnet.jobs import expire_releases
from referralnet.jobs.work import Work
from referralnet.referrals.answering import accept
from referralnet.referrals.succeeding import narrow_release, sign_release
from referralnet.referrals.withdrawing import mark_release_entered_in_error, withdraw_consent
from tests.factories.referrals import CATEGORIES, Look, Network, Sent, Tasks, present, read_at_the_desk, run, send
from tests.factories.work import make_work

pytestmark = pytest.mark.usefixtures("uncapped")

ON_PAPER = Signed(Signer.SURVIVOR, Method.WRITTEN)
ONLY_NEEDS = frozenset({Category.NEEDS})
RACES = 12


async def accepted(app: Database, network: Network, keyring: Keyring) -> Sent:
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    return sent


async def read(app: Database, network: Network, keyring: Keyring, sent: Sent) -> dict[Category, dict[str, str]]:
    return (await read_at_the_desk(app, network.intake, sent.id, keyring)).categories


async def renewal(app: Database, network: Network, release_id: UUID) -> UUID:
    return await run(app, network.coordinator, propose_renewal, release_id, term_days=200, now=present())


async def sign(app: Database, network: Network, keyring: Keyring, release_id: UUID) -> None:
    await run(app, network.coordinator, sign_release, release_id, ON_PAPER, keyring=keyring, now=present())


async def narrow(app: Database, network: Network, keyring: Keyring, release_id: UUID, **less: Any) -> UUID:
    return await run(
        app, network.coordinator, narrow_release, release_id, via=Via.ORAL, keyring=keyring, now=present(), **less
    )


async def keys_left(look: Look, *release_ids: UUID) -> list[bool]:
    rows = await look(
        "select wrapped is not null as there from unnest($1::uuid[]) with ordinality as wanted (id, n)"
        " join release on release.id = wanted.id join keystore.data_key on data_key.id = data_key_id order by n",
        list(release_ids),
    )
    return [row["there"] for row in rows]


async def stands_on(look: Look, sent: Sent) -> UUID:
    (row,) = await look("select release_id from survivor_referral where referral_id = $1", sent.id)
    found: UUID = row["release_id"]
    return found


@pytest.mark.rule("C9")
async def test_a_renewal_follows_without_a_gap_and_the_old_one_ends_with_its_key(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    told = await read(app, network, keyring, sent)
    new_id = await renewal(app, network, sent.release_id)
    assert await read(app, network, keyring, sent) == told, "a proposal changes nothing"
    assert await stands_on(look, sent) == sent.release_id
    await sign(app, network, keyring, new_id)
    assert await read(app, network, keyring, sent) == told
    assert await keys_left(look, sent.release_id, new_id) == [False, True]
    assert await stands_on(look, sent) == new_id
    old = await run(app, network.coordinator, release, sent.release_id)
    new = await run(app, network.coordinator, release, new_id)
    assert (old.status, old.ended_via) == (ReleaseStatus.INACTIVE, Ended.RENEWAL)
    assert (new.follows_release_id, new.succession) == (sent.release_id, Succession.RENEWAL)
    assert new.expires_at > old.expires_at
    with pytest.raises(ReleaseReplaced):
        await run(app, network.coordinator, withdraw_consent, release_id=old.id, via=Via.ORAL, now=present())
    summary = await run(app, network.coordinator, withdraw_consent, release_id=new_id, via=Via.ORAL, now=present())
    assert (summary.releases_ended, summary.referrals_closed) == (1, 1)


@pytest.mark.rule("C4")
async def test_what_she_leaves_out_is_gone_with_its_key_and_the_rest_stays(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    told = await read(app, network, keyring, sent)
    new_id = await narrow(app, network, keyring, sent.release_id, categories=ONLY_NEEDS)
    assert await read(app, network, keyring, sent) == {Category.NEEDS: told[Category.NEEDS]}
    assert await keys_left(look, sent.release_id, new_id) == [False, True]
    new = await run(app, network.coordinator, release, new_id)
    assert (new.categories, new.method, new.signature_kind) == (ONLY_NEEDS, Method.WRITTEN, "earlier")
    trail = await look("select detail from audit_event where action = 'release_narrowed' and subject_id = $1", new_id)
    assert '"via": "oral"' in trail[0]["detail"]


async def test_where_nothing_that_was_told_is_left_the_target_reads_nothing(
    app: Database, network: Network, keyring: Keyring
) -> None:
    sent = await accepted(app, network, keyring)
    first = await narrow(app, network, keyring, sent.release_id, categories=ONLY_NEEDS)
    await narrow(app, network, keyring, first, expires_at=present() + timedelta(days=1))
    assert set(await read(app, network, keyring, sent)) == ONLY_NEEDS
    with pytest.raises(ReleaseReplaced):
        await narrow(app, network, keyring, first, expires_at=present() + timedelta(hours=1))


@pytest.mark.rule("C9")
async def test_narrowing_makes_it_less_and_never_more(app: Database, network: Network, keyring: Keyring) -> None:
    sent = await accepted(app, network, keyring)
    row = await run(app, network.coordinator, release, sent.release_id)
    for less, refusal in (
        ({}, NothingLeftToRelease),
        ({"categories": CATEGORIES}, NothingLeftToRelease),
        ({"categories": frozenset({Category.MEDICAL})}, CategoryNotReleased),
        ({"categories": ONLY_NEEDS, "expires_at": row.expires_at + timedelta(seconds=1)}, NothingLeftToRelease),
        ({"expires_at": present() - timedelta(seconds=1)}, NothingLeftToRelease),
    ):
        with pytest.raises(refusal):
            await narrow(app, network, keyring, sent.release_id, **less)


@pytest.mark.rule("C6")
async def test_only_her_custodian_renews_and_narrows(app: Database, network: Network, keyring: Keyring) -> None:
    sent = await accepted(app, network, keyring)
    for stranger in (network.outsider, network.other_intake):
        with pytest.raises(NotFound):
            await run(app, stranger, propose_renewal, sent.release_id, now=present())
        with pytest.raises(NotFound):
            await run(
                app, stranger, narrow_release, sent.release_id, categories=ONLY_NEEDS, via=Via.ORAL, keyring=keyring,
                now=present(),
            )  # fmt: skip
    with pytest.raises(NotPermitted):
        await run(app, network.intake, propose_renewal, sent.release_id, now=present())


@pytest.mark.rule("C4")
async def test_what_she_has_taken_back_is_not_renewed(app: Database, network: Network, keyring: Keyring) -> None:
    sent = await accepted(app, network, keyring)
    new_id = await renewal(app, network, sent.release_id)
    other_id = await renewal(app, network, sent.release_id)
    await run(app, network.coordinator, withdraw_consent, release_id=sent.release_id, via=Via.ORAL, now=present())
    with pytest.raises(ReleaseWithdrawn):
        await sign(app, network, keyring, new_id)
    with pytest.raises(ReleaseWithdrawn):
        await renewal(app, network, sent.release_id)
    await run(app, network.coordinator, withdraw_consent, survivor_id=sent.survivor_id, via=Via.ORAL, now=present())
    with pytest.raises(ReleaseNotProposed):
        await sign(app, network, keyring, other_id)


async def test_a_release_is_renewed_once(app: Database, network: Network, keyring: Keyring) -> None:
    sent = await accepted(app, network, keyring)
    first, second = [await renewal(app, network, sent.release_id) for _ in range(2)]
    await sign(app, network, keyring, first)
    with pytest.raises(ReleaseReplaced):
        await sign(app, network, keyring, second)
    assert set(await read(app, network, keyring, sent)) == CATEGORIES


@pytest.mark.rule("C4")
async def test_a_release_that_should_never_have_been_ends_with_what_stands_on_it(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    summary = await run(app, network.coordinator, mark_release_entered_in_error, sent.release_id, now=present())
    assert (summary.releases_ended, summary.referrals_closed) == (1, 1)
    row = await run(app, network.coordinator, release, sent.release_id)
    assert (row.status, row.ended_via) == (ReleaseStatus.ENTERED_IN_ERROR, Ended.ERROR)
    assert await keys_left(look, sent.release_id) == [False]
    with pytest.raises(NoLiveRelease):
        await read(app, network, keyring, sent)


@pytest.fixture
def work(worker: Database, keyring: Keyring) -> Work:
    return make_work(worker, keyring)


async def run_out(look: Look, release_id: UUID) -> None:
    """Let a release's time pass, this instant."""
    await look("update release set expires_at = now() where id = $1 returning id", release_id)


@pytest.mark.rule("C3")
async def test_what_has_run_out_is_ended_with_its_key_soon_after_and_its_custodian_told(
    app: Database, network: Network, keyring: Keyring, work: Work, look: Look, open_tasks: Tasks
) -> None:
    sent, other = await accepted(app, network, keyring), await accepted(app, network, keyring)
    await run_out(look, sent.release_id)
    with pytest.raises(NoLiveRelease):
        await read(app, network, keyring, sent)
    assert await keys_left(look, sent.release_id) == [True], "closed at the instant, destroyed soon after it"
    assert await expire_releases.run(work) == 1
    assert await expire_releases.run(work) == 0
    assert await keys_left(look, sent.release_id, other.release_id) == [False, True]
    row = await run(app, network.coordinator, release, sent.release_id)
    assert (row.status, row.ended_via) == (ReleaseStatus.INACTIVE, Ended.EXPIRY)
    assert (network.coordinator.agency_id, "release_ran_out") in await open_tasks(sent.release_id)
    trail = "select member_id, detail from audit_event where action = 'release_ended' and subject_id = $1"
    ((ended),) = await look(trail, sent.release_id)
    assert (ended["member_id"], ended["detail"]) == (None, '{"via": "expiry"}')


@pytest.mark.rule("C4")
async def test_she_may_withdraw_what_has_run_out_and_its_referrals_close(
    app: Database, network: Network, keyring: Keyring, work: Work, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    await run_out(look, sent.release_id)
    await expire_releases.run(work)
    summary = await run(
        app, network.coordinator, withdraw_consent, release_id=sent.release_id, via=Via.ORAL, now=present()
    )
    assert (summary.releases_ended, summary.referrals_closed) == (0, 1)


async def test_what_has_run_out_may_be_renewed_and_its_referrals_go_on(
    app: Database, network: Network, keyring: Keyring, work: Work, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    await run_out(look, sent.release_id)
    await expire_releases.run(work)
    new_id = await renewal(app, network, sent.release_id)
    await sign(app, network, keyring, new_id)
    assert await stands_on(look, sent) == new_id
    with pytest.raises(NoLiveRelease):
        await read(app, network, keyring, sent)


@pytest.mark.rule("C5")
async def test_without_a_custody_the_worker_sees_of_releases_what_has_run_out_and_no_more(
    app: Database, worker: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    from referralnet.database.acting import Dispatcher

    live, over = await accepted(app, network, keyring), await accepted(app, network, keyring)
    await run_out(look, over.release_id)
    async with worker.transaction(Dispatcher()) as session:
        seen = set(await session.scalars(text("select id from release")))
        assert await session.scalar(text("select count(*) from survivor_release")) == 0
    assert over.release_id in seen
    assert live.release_id not in seen


@pytest.mark.rule("C2")
async def test_the_database_hangs_a_referral_on_a_release_of_the_same_survivor_alone(
    app: Database, network: Network, keyring: Keyring
) -> None:
    sent, other = await accepted(app, network, keyring), await accepted(app, network, keyring)
    with pytest.raises(DBAPIError, match="row-level security"):
        async with app.transaction(network.coordinator) as session:
            await session.execute(
                text("update survivor_referral set release_id = :release where referral_id = :referral"),
                {"release": other.release_id, "referral": sent.id},
            )


async def soon(chance: random.Random, act: Awaitable[Any]) -> Any:
    """Whatever comes of it, a moment from now."""
    await asyncio.sleep(chance.uniform(0, 0.01))
    return await act


@pytest.mark.slow
@pytest.mark.rule("C4")
async def test_whatever_takes_its_place_meanwhile_a_withdrawal_of_everything_leaves_nothing(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    chance = random.Random(12_291)
    for turn in range(RACES):
        sent = await accepted(app, network, keyring)
        new_id = await renewal(app, network, sent.release_id)
        change = (
            sign(app, network, keyring, new_id)
            if turn % 2
            else narrow(app, network, keyring, sent.release_id, categories=ONLY_NEEDS)
        )
        withdrawal = run(
            app, network.coordinator, withdraw_consent, survivor_id=sent.survivor_id, via=Via.ORAL, now=present()
        )
        both = await asyncio.gather(soon(chance, change), soon(chance, withdrawal), return_exceptions=True)
        changed, withdrawn = list[Any](both)
        assert not isinstance(withdrawn, BaseException), withdrawn
        assert not isinstance(changed, BaseException) or isinstance(changed, Refusal), changed
        left = await look(
            "select release.id from release join survivor_release on release_id = release.id"
            " left join keystore.data_key on data_key.id = data_key_id"
            " where survivor_id = $1 and (status in ('active', 'proposed') or wrapped is not null)",
            sent.survivor_id,
        )
        assert left == []
        with pytest.raises(NoLiveRelease):
            await read(app, network, keyring, sent)


@pytest.mark.slow
@pytest.mark.rule("C3")
async def test_while_a_release_is_narrowed_every_read_sees_all_of_the_old_or_all_of_the_new(
    app: Database, network: Network, keyring: Keyring
) -> None:
    chance, seen = random.Random(94), set()
    for _ in range(RACES):
        sent = await accepted(app, network, keyring)
        reads = [soon(chance, read(app, network, keyring, sent)) for _ in range(3)]
        narrowed, *told = await asyncio.gather(
            soon(chance, narrow(app, network, keyring, sent.release_id, categories=ONLY_NEEDS)), *reads
        )
        assert narrowed
        seen |= {frozenset(categories) for categories in told}
        assert set(await read(app, network, keyring, sent)) == ONLY_NEEDS
    assert seen <= {CATEGORIES, ONLY_NEEDS}


@pytest.mark.slow
@pytest.mark.rule("C3")
async def test_a_renewal_against_the_clock_leaves_one_release_in_force_and_no_key_of_the_other(
    app: Database, network: Network, keyring: Keyring, worker: Database, look: Look
) -> None:
    from referralnet.consent.ending import expire_release

    chance = random.Random(365)
    for _ in range(RACES):
        sent = await accepted(app, network, keyring)
        new_id = await renewal(app, network, sent.release_id)
        await run_out(look, sent.release_id)

        async def expire(release_id: UUID = sent.release_id) -> bool:
            async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
                return await expire_release(session, release_id, now=present())

        await asyncio.gather(soon(chance, sign(app, network, keyring, new_id)), soon(chance, expire()))
        assert await keys_left(look, sent.release_id, new_id) == [False, True]
        assert await stands_on(look, sent) == new_id
