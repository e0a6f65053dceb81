"""Making a disclosure and reading it: what it says, who may, and every reason for which it is not there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.consent.disclosures import make_disclosure, read_disclosure
from referralnet.consent.ending import Via, end_release
from referralnet.consent.refusals import (
    AlreadyDisclosed,
    CategoryNotReleased,
    NoLiveRelease,
    ReleaseExpired,
    ReleaseNamesAnotherAgency,
    ReleaseNotStarted,
    ReleaseWithdrawn,
    UnknownCategory,
)
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.sealing import SealBroken
from referralnet.errors import NotPermitted
from referralnet.identity import hourly_caps
from referralnet.identity.step_up import StepUpNeeded
from tests.factories.consent import (
    Case,
    Stage,
    make_case,
    make_referral,
    make_release,
    move_referral,
    move_release,
    read,
    read_as,
)
from tests.factories.identity import at_the_desk, make_member
from tests.factories.survivors import make_survivor, new_need, new_plan, new_survivor, present


async def make(stage: Stage, release_id: UUID, survivor_id: UUID, **changes: object) -> UUID:
    """A disclosure of identity to the recipient, but for `changes`."""
    actor = stage.partners.custodian.coordinator
    values: dict[str, object] = {
        "referral_id": uuid4(),
        "release_id": release_id,
        "survivor_id": survivor_id,
        "recipient_agency_id": stage.partners.recipient.agency_id,
        "categories": frozenset({Category.IDENTITY}),
        "now": present(),
        **changes,
    }
    async with stage.app.transaction(actor) as session:
        return await make_disclosure(session, actor, keyring=stage.keyring, **values)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module")
async def released(stage: Stage) -> tuple[UUID, UUID]:
    """(survivor id, release id) of a release that is live, for tests that refuse."""
    survivor_id = await make_survivor(stage.app, stage.partners.custodian.coordinator, stage.keyring)
    return survivor_id, await make_release(stage, survivor_id)


@pytest.mark.rule("C1")
async def test_the_recipient_reads_the_released_categories_and_no_others(stage: Stage, case: Case) -> None:
    told = (await read(stage, stage.partners.recipient.intake, case.referral_id)).categories
    assert told == {
        Category.IDENTITY: {"given_name": "Ana", "family_name": "Invented", "date_of_birth": "1996-05-04"},
        Category.CONTACT: {
            "phone": "+13125550142",
            "contact_language": "es",
            "time_zone": "America/Chicago",
            "safe_windows": "Mon, Tue, Wed 09:00-20:00; Sat 10:00-12:00",
            "voicemail_ok": "no",
        },
        Category.NEEDS: {
            "service_type": "emergency_shelter",
            "urgency": "urgent",
            "region": "US-IL",
            "language": "es",
            "household_size": "2",
            "age_band": "25_59",
            "accessibility": "step_free",
            "immigration_sensitive": "yes",
        },
    }


@pytest.mark.rule("A5")
async def test_one_member_reads_no_more_disclosures_than_an_hour_allows(
    stage: Stage, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    await read(stage, stage.partners.recipient.intake, case.referral_id)
    monkeypatch.setitem(hourly_caps.PER_HOUR_MAX, Action.DISCLOSURE_READ, 1)
    for referral_id in (case.referral_id, uuid4()):
        with pytest.raises(hourly_caps.HourlyCapReached):
            await read(stage, stage.partners.recipient.intake, referral_id)


async def test_a_category_without_a_record_says_that_nothing_is_recorded(stage: Stage) -> None:
    categories = frozenset({Category.LEGAL, Category.MEDICAL, Category.SAFETY})
    case = await make_case(stage, categories=categories)
    told = (await read(stage, stage.partners.recipient.intake, case.referral_id)).categories
    assert told == {Category.LEGAL: {}, Category.MEDICAL: {}, Category.SAFETY: {"safety_note": "Not by the river."}}


async def test_a_disclosure_is_a_copy_that_later_changes_do_not_reach(stage: Stage) -> None:
    actor = stage.partners.custodian.coordinator
    survivor_id = await make_survivor(
        stage.app, actor, stage.keyring, new=new_survivor(), plan=new_plan(), need=new_need()
    )
    case = await make_case(stage, survivor_id=survivor_id)
    first = await read(stage, stage.partners.recipient.intake, case.referral_id)
    await stage.superuser.execute("update contact_plan set language = 'en' where survivor_id = $1", survivor_id)
    assert (await read(stage, stage.partners.recipient.intake, case.referral_id)) == first


@pytest.mark.rule("C1")
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"release_id": uuid4()}, NoLiveRelease),
        ({"survivor_id": uuid4()}, NoLiveRelease),
        ({"recipient_agency_id": uuid4()}, ReleaseNamesAnotherAgency),
        ({"categories": frozenset({Category.IDENTITY, Category.SAFETY})}, CategoryNotReleased),
        ({"categories": frozenset({"gossip"})}, UnknownCategory),
        ({"now": present() + timedelta(days=91)}, ReleaseExpired),
        ({"now": present() - timedelta(days=1)}, ReleaseNotStarted),
    ],
)
async def test_what_was_not_released_is_refused_by_its_reason(
    stage: Stage, released: tuple[UUID, UUID], changes: dict[str, object], refusal: type[Exception]
) -> None:
    survivor_id, release_id = released
    with pytest.raises(refusal):
        await make(stage, **{"release_id": release_id, "survivor_id": survivor_id, **changes})  # type: ignore[arg-type]


@pytest.mark.rule("C1")
async def test_a_withdrawn_release_discloses_nothing_more(stage: Stage) -> None:
    actor = stage.partners.custodian.coordinator
    survivor_id = await make_survivor(stage.app, actor, stage.keyring)
    release_id = await make_release(stage, survivor_id)
    async with stage.app.transaction(actor) as session:
        await end_release(session, actor, release_id, via=Via.WRITTEN, now=present())
    with pytest.raises(ReleaseWithdrawn):
        await make(stage, release_id, survivor_id)


@pytest.mark.rule("C1")
async def test_another_survivor_s_release_does_not_serve(stage: Stage, released: tuple[UUID, UUID]) -> None:
    other_id = await make_survivor(stage.app, stage.partners.custodian.coordinator, stage.keyring)
    with pytest.raises(NoLiveRelease):
        await make(stage, released[1], other_id)


async def test_a_release_is_used_once_for_a_referral(stage: Stage, case: Case) -> None:
    with pytest.raises(AlreadyDisclosed):
        await make(stage, case.release_id, case.survivor_id, referral_id=case.referral_id)


@pytest.mark.rule("C3")
async def test_one_second_after_expiry_the_recipient_reads_nothing(stage: Stage) -> None:
    case = await make_case(stage)
    disclosure = await read(stage, stage.partners.recipient.intake, case.referral_id)
    late = disclosure.expires_at + timedelta(seconds=1)
    # The program's own clock says so, though the database's does not.
    with pytest.raises(NoLiveRelease):
        await read_as(stage, replace(stage.partners.recipient.intake, stepped_up_at=late), case.referral_id, now=late)
    # And the database's own clock, though the program's does not.
    await move_release(stage, case.release_id, starts="-10 days", expires="-1 second")
    with pytest.raises(NoLiveRelease):
        await read(stage, stage.partners.recipient.intake, case.referral_id)


@pytest.mark.rule("C3")
@pytest.mark.rule("C4")
async def test_after_a_withdrawal_the_copy_is_closed_and_its_key_is_gone(stage: Stage) -> None:
    case, actor = await make_case(stage), stage.partners.custodian.coordinator
    async with stage.app.transaction(actor) as session:
        await end_release(session, actor, case.release_id, via=Via.ORAL, now=present())
    with pytest.raises(NoLiveRelease):
        await read(stage, stage.partners.recipient.intake, case.referral_id)
    kept, gone = await stage.superuser.fetchval(
        """
        select (count(wrapped), count(destroyed_at)) from keystore.data_key
        where id = (select data_key_id from release where id = $1)
        """,
        case.release_id,
    )
    assert (kept, gone) == (0, 1)


@pytest.mark.rule("C4")
async def test_a_withdrawal_that_is_rolled_back_destroys_nothing(stage: Stage) -> None:
    case, actor = await make_case(stage), stage.partners.custodian.coordinator

    async def end_and_fail() -> None:
        async with stage.app.transaction(actor) as session:
            await end_release(session, actor, case.release_id, via=Via.ORAL, now=present())
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        await end_and_fail()
    assert (await read(stage, stage.partners.recipient.intake, case.referral_id)).id == case.disclosure_id


@pytest.mark.rule("R4")
async def test_before_acceptance_there_is_nothing_to_read(stage: Stage) -> None:
    case = await make_case(stage, status="requested")
    with pytest.raises(NoLiveRelease):
        await read(stage, stage.partners.recipient.intake, case.referral_id)
    await move_referral(stage, case.referral_id, "accepted")
    assert (await read(stage, stage.partners.recipient.intake, case.referral_id)).categories


@pytest.mark.rule("C6")
async def test_whoever_is_no_party_is_told_the_same_as_of_nothing(stage: Stage, case: Case) -> None:
    waiting = await make_referral(stage, "requested")
    answers = set()
    for actor, referral_id in (
        (stage.partners.stranger.intake, case.referral_id),
        (stage.partners.stranger.intake, uuid4()),
        (stage.partners.custodian.intake, case.referral_id),
        (stage.partners.recipient.intake, waiting),
        (stage.partners.recipient.intake, uuid4()),
    ):
        with pytest.raises(NoLiveRelease) as refused:
            await read(stage, actor, referral_id)
        answers.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(answers) == 1


@pytest.mark.rule("A5", "C6")
@pytest.mark.parametrize("stepped_up", [None, timedelta(minutes=6)])
async def test_reading_wants_a_fresh_second_factor_whether_there_is_something_to_read_or_not(
    stage: Stage, case: Case, stepped_up: timedelta | None
) -> None:
    stepped_up_at = None if stepped_up is None else present() - stepped_up
    stale = replace(stage.partners.recipient.intake, stepped_up_at=stepped_up_at)
    for referral_id in (case.referral_id, uuid4()):
        with pytest.raises(StepUpNeeded):
            await read_as(stage, stale, referral_id)


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", ["coordinator", "agency_admin", "network_admin", "auditor"])
async def test_only_intake_reads_disclosures(stage: Stage, case: Case, role: str) -> None:
    with pytest.raises(NotPermitted):
        await read(stage, getattr(stage.partners.recipient, role), case.referral_id)


@pytest.mark.rule("C10")
async def test_no_combination_of_roles_reads_past_the_release(stage: Stage, owner: Database) -> None:
    case = await make_case(stage)
    made = await make_member(owner, stage.keyring, stage.partners.recipient.agency_id, list(Role), now=present())
    mighty = replace(made.actor, stepped_up_at=present())
    assert (await read(stage, mighty, case.referral_id)).id == case.disclosure_id
    await move_release(stage, case.release_id, starts="-10 days", expires="-1 second")
    with pytest.raises(NoLiveRelease):
        await read(stage, mighty, case.referral_id)


@pytest.mark.rule("U1")
@pytest.mark.rule("U3")
async def test_a_read_and_its_row_in_the_trail_commit_together(stage: Stage) -> None:
    case, reader = await make_case(stage), await at_the_desk(stage.app, stage.partners.recipient.intake)
    trail = "select member_id, agency_id, detail from audit_event where action = 'disclosure_read' and subject_id = $1"

    async def read_and_fail() -> None:
        async with stage.app.transaction(reader) as session:
            await read_disclosure(session, reader, case.referral_id, keyring=stage.keyring, now=present())
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        await read_and_fail()
    assert await stage.superuser.fetch(trail, case.disclosure_id) == []
    await read(stage, reader, case.referral_id)
    (row,) = await stage.superuser.fetch(trail, case.disclosure_id)
    assert (row["member_id"], row["agency_id"]) == (reader.member_id, reader.agency_id)
    assert str(case.release_id) in row["detail"]
    assert "Ana" not in row["detail"]


@pytest.mark.rule("U1")
async def test_where_the_trail_cannot_be_written_nothing_is_read(stage: Stage, case: Case) -> None:
    await stage.superuser.execute("revoke insert on audit_event from referralnet_app")
    try:
        with pytest.raises(DBAPIError, match="permission denied"):
            await read(stage, stage.partners.recipient.intake, case.referral_id)
    finally:
        await stage.superuser.execute("grant insert on audit_event to referralnet_app")


@pytest.mark.rule("P4")
async def test_an_item_moved_to_another_category_or_disclosure_does_not_open(stage: Stage) -> None:
    case = await make_case(stage)
    other = await make_case(stage, survivor_id=case.survivor_id)
    for from_id, from_category in ((case.disclosure_id, "contact"), (other.disclosure_id, "identity")):
        kept = await stage.superuser.fetchval(
            "select sealed from disclosure_item where disclosure_id = $1 and category = 'identity'", case.disclosure_id
        )
        move = "update disclosure_item set sealed = $3 where disclosure_id = $1 and category = $2"
        moved = await stage.superuser.fetchval(
            "select sealed from disclosure_item where disclosure_id = $1 and category = $2", from_id, from_category
        )
        await stage.superuser.execute(move, case.disclosure_id, "identity", moved)
        with pytest.raises(SealBroken):
            await read(stage, stage.partners.recipient.intake, case.referral_id)
        await stage.superuser.execute(move, case.disclosure_id, "identity", kept)
    assert (await read(stage, stage.partners.recipient.intake, case.referral_id)).categories[Category.IDENTITY]


@pytest.mark.rule("A5")
async def test_each_second_factor_opens_a_disclosure_once(stage: Stage) -> None:
    case, other = await make_case(stage), await make_case(stage)
    reader = await at_the_desk(stage.app, stage.partners.recipient.intake)
    assert (await read_as(stage, reader, case.referral_id)).id == case.disclosure_id
    with pytest.raises(StepUpNeeded):
        await read_as(stage, reader, case.referral_id)
    assert (await read_as(stage, reader, other.referral_id)).id == other.disclosure_id
    assert (await read(stage, reader, case.referral_id)).id == case.disclosure_id
    readings = "select count(*) from audit_event where action = 'disclosure_read' and subject_id = $1"
    assert await stage.superuser.fetchval(readings, case.disclosure_id) == 2


@pytest.mark.rule("A5")
async def test_of_two_readings_at_once_with_one_second_factor_one_is_shown(stage: Stage) -> None:
    case, reader = await make_case(stage), await at_the_desk(stage.app, stage.partners.recipient.intake)
    both = await asyncio.gather(*(read_as(stage, reader, case.referral_id) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["Disclosure", "StepUpNeeded"]
