"""Marking an abuser ends what they signed with all that stands on it, and nothing else (C7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from referralnet.consent.ending import Via
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.releases import Method
from referralnet.consent.signing import NewRelease, record_release
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.referrals.answering import accept
from referralnet.referrals.erasing import CONFIRMATION, erase_survivor
from referralnet.referrals.lifecycle import Status
from referralnet.referrals.marking import TASK, mark_signer_as_abuser
from referralnet.referrals.reading import referral
from referralnet.referrals.sending import send_referral
from referralnet.survivors.abuser_marks import AbuserOf
from referralnet.survivors.needs import AgeBand, record_need
from tests.factories.referrals import CATEGORIES, Look, Network, Tasks, present, read_at_the_desk, run
from tests.factories.survivors import make_signer, make_survivor, new_need, new_survivor

SIXTEEN = present().date() - timedelta(days=16 * 366)


@dataclass(frozen=True)
class Minor:
    """A minor of sixteen who was sent on twice: under a release that a guardian signed, and under one of her own."""

    survivor_id: UUID
    guardian_id: UUID
    signed_release_id: UUID
    signed_referral_id: UUID
    own_release_id: UUID
    own_referral_id: UUID


@pytest_asyncio.fixture
async def minor(app: Database, network: Network, keyring: Keyring) -> Minor:
    actor = network.coordinator
    survivor_id = await make_survivor(app, actor, keyring, new=new_survivor(date_of_birth=SIXTEEN))
    guardian_id = await make_signer(app, actor, keyring, survivor_id)
    sent: list[UUID] = []
    for purpose, signer_id in ((Purpose.IMMIGRATION, guardian_id), (Purpose.SHELTER, None)):
        release = NewRelease(
            network.intake.agency_id, purpose, CATEGORIES, Signer.GUARDIAN if signer_id else Signer.SURVIVOR,
            Method.WRITTEN, "es", signer_id=signer_id,
        )  # fmt: skip
        release_id = await run(app, actor, record_release, survivor_id, release, keyring=keyring, now=present())
        need = new_need(service_type="shelter", age_band=AgeBand.FROM_13_TO_17)
        need_id = await run(app, actor, record_need, survivor_id, need, now=present())
        referral_id = await run(
            app, actor, send_referral, survivor_id=survivor_id, need_id=need_id, release_id=release_id,
            service_at_location_id=network.service_at_location_id, categories=CATEGORIES, keyring=keyring,
            now=present(),
        )  # fmt: skip
        await run(app, network.intake, accept, referral_id, now=present())
        sent += [release_id, referral_id]
    return Minor(survivor_id, guardian_id, *sent)


async def mark(app: Database, network: Network, minor: Minor) -> UUID:
    of = AbuserOf.OTHER_PARENT
    return await run(app, network.coordinator, mark_signer_as_abuser, minor.guardian_id, abuser_of=of, now=present())


async def plan_texts(look: Look, network: Network, minor: Minor) -> None:
    """A text that waits about each of the two referrals."""
    for referral_id in (minor.signed_referral_id, minor.own_referral_id):
        await look(
            """
            insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
              send_before, occurrence, state, state_at, created_at)
            values (gen_random_uuid(), $1, $2, $3, 'appointment_reminder', 1, now() + interval '1 day',
              now() + interval '1 day', now() + interval '25 hours', '{}', 'scheduled', now(), now())
            """,
            network.coordinator.agency_id, minor.survivor_id, referral_id,
        )  # fmt: skip


async def state_of(look: Look, release_id: UUID, referral_id: UUID) -> tuple[str, str | None, bool, str, str]:
    """Release, how it ended, whether its key is left; the referral on it, and the text about that."""
    (row,) = await look(
        """
        select release.status as release, ended_via, wrapped is not null as key, referral.status as referral, state
        from release join survivor_release on release_id = release.id
          join keystore.data_key on data_key.id = data_key_id, referral
          join text_message on subject_id = referral.id
        where release.id = $1 and referral.id = $2
        """,
        release_id, referral_id,
    )  # fmt: skip
    return row["release"], row["ended_via"], row["key"], row["referral"], row["state"]


@pytest.mark.rule("C7", "C4")
async def test_a_mark_ends_what_the_abuser_signed_with_all_that_stands_on_it_and_nothing_she_signed_alone(
    app: Database, network: Network, keyring: Keyring, look: Look, open_tasks: Tasks, minor: Minor
) -> None:
    await plan_texts(look, network, minor)
    assert (await read_at_the_desk(app, network.intake, minor.signed_referral_id, keyring)).categories
    await mark(app, network, minor)
    assert await state_of(look, minor.signed_release_id, minor.signed_referral_id) == (
        "inactive", "signer_marked", False, "cancelled", "cancelled",
    )  # fmt: skip
    assert await state_of(look, minor.own_release_id, minor.own_referral_id) == (
        "active", None, True, "accepted", "scheduled",
    )  # fmt: skip
    with pytest.raises(Refusal):
        await read_at_the_desk(app, network.intake, minor.signed_referral_id, keyring)
    assert (await read_at_the_desk(app, network.intake, minor.own_referral_id, keyring)).categories
    closed = await run(app, network.intake, referral, minor.signed_referral_id)
    assert (closed.status, closed.status_reason) == (Status.CANCELLED, "consent_withdrawn")
    assert await open_tasks(minor.signed_referral_id) == {(network.intake.agency_id, "referral_is_over")}


@pytest.mark.rule("C7")
async def test_who_signs_instead_is_a_task_of_her_coordinator_s_where_something_has_ended(
    app: Database, network: Network, keyring: Keyring, look: Look, open_tasks: Tasks, minor: Minor
) -> None:
    another = await make_signer(app, network.coordinator, keyring, minor.survivor_id)
    of = AbuserOf.SURVIVOR
    await run(app, network.coordinator, mark_signer_as_abuser, another, abuser_of=of, now=present())
    assert await open_tasks(minor.survivor_id) == set(), "nothing of theirs was in force"
    await mark(app, network, minor)
    assert await open_tasks(minor.survivor_id) == {(network.coordinator.agency_id, TASK)}
    trail = await look(
        "select member_id, detail::jsonb ->> 'abuser_of' as of from audit_event where action = 'signer_marked'"
        " and subject_id = $1 and detail::jsonb ->> 'signer' = $2",
        minor.survivor_id, str(minor.guardian_id),
    )  # fmt: skip
    assert trail == [{"member_id": network.coordinator.member_id, "of": "other_parent"}]


@pytest.mark.rule("C7")
async def test_a_mark_that_breaks_half_way_has_ended_nothing(
    app: Database, network: Network, look: Look, minor: Minor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from referralnet.referrals import marking

    async def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("half way")

    await plan_texts(look, network, minor)
    before = await state_of(look, minor.signed_release_id, minor.signed_referral_id)
    monkeypatch.setattr(marking, "stop_texts_about", breaks)
    with pytest.raises(RuntimeError, match="half way"):
        await mark(app, network, minor)
    assert await state_of(look, minor.signed_release_id, minor.signed_referral_id) == before


@pytest.mark.rule("P4")
async def test_who_signed_and_who_was_marked_goes_with_her(
    app: Database, network: Network, look: Look, minor: Minor
) -> None:
    await mark(app, network, minor)
    given = {"confirmation": CONFIRMATION, "via": Via.ORAL, "now": present()}
    await run(app, network.coordinator, erase_survivor, minor.survivor_id, **given)
    left = """
        select id from survivor_signer where survivor_id = $1 union all
        select id from survivor_signer_mark where survivor_id = $1 union all
        select release_id from survivor_release where survivor_id = $1
    """
    assert await look(left, minor.survivor_id) == []
