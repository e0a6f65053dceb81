"""Her record changes after the referral: the sender sees where, tells it anew or does not; nothing tells itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.refusals import NothingNew, ReleaseWithdrawn
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted
from referralnet.referrals.answering import accept
from referralnet.referrals.updating import share_update, shared, update_to_share
from referralnet.referrals.withdrawing import withdraw_consent
from tests.factories.referrals import (
    CATEGORIES,
    Look,
    Network,
    Sent,
    Tasks,
    present,
    read_at_the_desk,
    run,
    send,
)


async def accepted(app: Database, network: Network, keyring: Keyring) -> Sent:
    sent = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    return sent


async def change_need(look: Look, sent: Sent, household_size: int) -> None:
    await look("update need set household_size = $2 where id = $1 returning id", sent.need_id, household_size)


async def news(app: Database, network: Network, keyring: Keyring, sent: Sent) -> frozenset[Category]:
    found = await run(app, network.coordinator, update_to_share, sent.id, keyring=keyring, now=present())
    return found.changed


async def share(app: Database, network: Network, keyring: Keyring, sent: Sent) -> Any:
    return await run(app, network.coordinator, share_update, sent.id, keyring=keyring, now=present())


@pytest.mark.rule("C1")
async def test_a_change_reaches_the_target_only_as_a_new_version_that_somebody_shares(
    app: Database, network: Network, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    sent = await accepted(app, network, keyring)
    first = await read_at_the_desk(app, network.intake, sent.id, keyring)
    assert await news(app, network, keyring, sent) == frozenset()
    with pytest.raises(NothingNew):
        await share(app, network, keyring, sent)
    await change_need(look, sent, 5)
    assert await news(app, network, keyring, sent) == {Category.NEEDS}
    assert await read_at_the_desk(app, network.intake, sent.id, keyring) == first
    disclosure_id = await share(app, network, keyring, sent)
    told = (network.intake.agency_id, "read_updated_disclosure")
    assert told in await open_tasks(sent.id)
    second = await read_at_the_desk(app, network.intake, sent.id, keyring)
    assert told not in await open_tasks(sent.id), "whoever reads it has done it"
    assert (first.version, second.version, second.id) == (1, 2, disclosure_id)
    changed = {**first.categories[Category.NEEDS], "household_size": "5"}
    assert second.categories == {**first.categories, Category.NEEDS: changed}
    assert await news(app, network, keyring, sent) == frozenset()
    made = await run(app, network.coordinator, shared, disclosure_id)
    assert (made.version, made.categories) == (2, CATEGORIES)
    trail = "select detail->>'because' as because from audit_event where action = 'disclosure_made' and subject_id = $1"
    assert await look(trail, disclosure_id) == [{"because": "update"}]


@pytest.mark.rule("R4")
async def test_before_acceptance_an_update_calls_nobody(
    app: Database, network: Network, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    sent = await send(app, network, keyring, now=present())
    await change_need(look, sent, 3)
    await share(app, network, keyring, sent)
    assert await open_tasks(sent.id) == {(network.intake.agency_id, "answer_referral")}
    await run(app, network.intake, accept, sent.id, now=present())
    read = await read_at_the_desk(app, network.intake, sent.id, keyring)
    assert (read.version, read.categories[Category.NEEDS]["household_size"]) == (2, "3")


@pytest.mark.rule("C1")
async def test_nothing_is_updated_under_a_release_she_has_ended_or_for_a_referral_of_others(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    await change_need(look, sent, 4)
    for act in (update_to_share, share_update):
        with pytest.raises(NotPermitted):
            await run(app, network.intake, act, sent.id, keyring=keyring, now=present())
        for stranger in (network.outsider, network.other_intake):
            with pytest.raises(NotFound):
                await run(app, stranger, act, sent.id, keyring=keyring, now=present())
    await look("update release set status = 'inactive' where id = $1 returning id", sent.release_id)
    with pytest.raises(ReleaseWithdrawn):
        await share(app, network, keyring, sent)
    ended = await accepted(app, network, keyring)
    await run(app, network.coordinator, withdraw_consent, release_id=ended.release_id, via=Via.ORAL, now=present())
    with pytest.raises(NotFound):
        await share(app, network, keyring, ended)


async def test_of_two_updates_at_once_one_is_shared(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    await change_need(look, sent, 6)
    both = await asyncio.gather(*(share(app, network, keyring, sent) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["NothingNew", "UUID"]
    versions = await look("select version from disclosure where referral_id = $1 order by version", sent.id)
    assert versions == [{"version": 1}, {"version": 2}]


@pytest.mark.rule("C5")
async def test_what_was_compared_is_written_nowhere(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    sent = await accepted(app, network, keyring)
    await change_need(look, sent, 7)
    counted = "select (select count(*) from audit_event) as events, (select count(*) from disclosure) as disclosures"
    before = await look(counted)
    assert await news(app, network, keyring, sent) == {Category.NEEDS}
    assert await look(counted) == before
