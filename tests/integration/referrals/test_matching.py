"""A need is matched in its own custody, and past acceptance is told without anybody's referrals."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text

from referralnet.database.acting import Member, Nobody, Operator
from referralnet.database.transactions import Database
from referralnet.directory.matching import Match
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted
from referralnet.referrals.answering import accept, reject
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.matching import match_need
from tests.factories.referrals import Network, Sent, make_network, present, run, send


async def network_with_coverage(owner: Database) -> Network:
    network = await make_network(owner, beds=50)
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("""
                update directory_entry set categories = '{shelter}', counties = '{state:IL}', cells = '{state:IL}',
                       traits = '{state:IL}'
                 where service_at_location_id = :id
            """),
            {"id": network.service_at_location_id},
        )
    return network


async def matched(app: Database, network: Network, sent: Sent) -> Match:
    found = await run(app, network.coordinator, match_need, sent.need_id, first=100, now=present())
    return next(one for one in found if one.service_at_location_id == network.service_at_location_id)


async def answered(app: Database, network: Network, keyring: Keyring, *, accepted: int = 0, rejected: int = 0) -> Sent:
    answers = []
    for at in range(accepted + rejected):
        sent = await send(app, network, keyring, now=present())
        answers.append(sent)
        if at < accepted:
            await run(app, network.intake, accept, sent.id, now=present())
        else:
            await run(app, network.intake, reject, sent.id, reason=RejectReason.NO_CAPACITY, now=present())
    return answers[-1]


async def shares(database: Database, actor: Member | Nobody, wanted: UUID) -> list[int]:
    async with database.transaction(actor) as session:
        found = await session.scalars(
            text("select share_percent from acceptance_shares(array[cast(:id as uuid)])"), {"id": wanted}
        )
        return list(found)


async def test_a_need_is_matched_with_reasons(owner: Database, app: Database, keyring: Keyring) -> None:
    network = await network_with_coverage(owner)
    sent = await send(app, network, keyring, now=present())
    found = await matched(app, network, sent)
    assert {"covers_region", "network_member", "open_units_confirmed"} <= set(found.reasons_for)
    assert "language_not_spoken" in found.reasons_against


@pytest.mark.rule("C6")
async def test_a_need_of_another_custody_is_not_there(owner: Database, app: Database, keyring: Keyring) -> None:
    network = await network_with_coverage(owner)
    sent = await send(app, network, keyring, now=present())
    for member in (network.outsider, network.other_intake):
        with pytest.raises(NotFound) as refused:
            await run(app, member, match_need, sent.need_id, now=present())
        assert refused.value.field == "need_id"
    with pytest.raises(NotPermitted):
        await run(app, network.intake, match_need, sent.need_id, now=present())


@pytest.mark.rule("C6")
async def test_of_fewer_than_five_answers_nothing_is_said(owner: Database, app: Database, keyring: Keyring) -> None:
    network = await network_with_coverage(owner)
    sent = await answered(app, network, keyring, accepted=4)
    assert (await matched(app, network, sent)).accepted_percent is None
    assert await shares(app, network.outsider, network.service_at_location_id) == []
    await send(app, network, keyring, now=present())
    assert await shares(app, network.outsider, network.service_at_location_id) == []
    sent = await answered(app, network, keyring, accepted=1)
    found = await matched(app, network, sent)
    assert found.accepted_percent == 100
    assert "accepts_often" in found.reasons_for


@pytest.mark.rule("C6")
async def test_a_share_is_rounded_and_shows_nobodys_referral(owner: Database, app: Database, keyring: Keyring) -> None:
    network = await network_with_coverage(owner)
    sent = await answered(app, network, keyring, accepted=2, rejected=5)
    found = await matched(app, network, sent)
    assert found.accepted_percent == 30
    assert "accepts_seldom" in found.reasons_against
    assert await shares(app, network.outsider, network.service_at_location_id) == [30]
    async with app.transaction(network.outsider) as session:
        assert await session.scalar(text("select count(*) from referral")) == 0


@pytest.mark.rule("A2")
async def test_nobody_asks_how_often_a_service_accepts(owner: Database, app: Database, keyring: Keyring) -> None:
    network = await network_with_coverage(owner)
    await answered(app, network, keyring, accepted=5)
    assert await shares(app, network.outsider, network.service_at_location_id) == [100]
    assert await shares(app, Nobody(), network.service_at_location_id) == []
