"""Recording a release: what is kept of it, and every reason for which it is not taken."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from referralnet import published
from referralnet.consent.categories import Category
from referralnet.consent.ending import Via, end_release
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.refusals import (
    GuardianCannotSign,
    MinorNeedsGuardian,
    RecipientIsOwnAgency,
    TermOutOfBounds,
    UnknownCategory,
)
from referralnet.consent.releases import Ended, Method, ReleaseRow, ReleaseStatus, list_releases, release
from referralnet.consent.signing import record_release
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from tests.factories.consent import Stage, make_release, new_release
from tests.factories.survivors import make_signer, make_survivor, new_survivor, present


async def recorded(stage: Stage, **changes: object) -> ReleaseRow:
    """A new survivor's one release."""
    actor = stage.partners.custodian.coordinator
    survivor_id = await make_survivor(stage.app, actor, stage.keyring)
    await make_release(stage, survivor_id, **changes)
    async with stage.app.transaction(actor) as session:
        (row,) = await list_releases(session, actor, survivor_id)
    return row


async def record(stage: Stage, actor: Member, survivor_id: UUID) -> UUID:
    """What anybody might try."""
    async with stage.app.transaction(actor) as session:
        new = new_release(stage.partners)
        return await record_release(session, actor, survivor_id, new, keyring=stage.keyring, now=present())


@pytest.mark.rule("C9")
async def test_a_release_ends_after_ninety_days_when_no_other_term_is_named(stage: Stage) -> None:
    row = await recorded(stage)
    assert (row.status, row.expires_at - row.starts_at) == (ReleaseStatus.ACTIVE, timedelta(days=90))
    assert row.is_live(present())
    assert not row.is_live(row.expires_at)


@pytest.mark.rule("C9")
@pytest.mark.parametrize("term_days", [1, 365])
async def test_the_shortest_and_the_longest_term_are_kept(stage: Stage, term_days: int) -> None:
    row = await recorded(stage, term_days=term_days)
    assert row.expires_at - row.starts_at == timedelta(days=term_days)


@pytest.mark.rule("C9")
@pytest.mark.parametrize("term_days", [-1, 0, 366, 10_000])
async def test_a_term_out_of_bounds_is_refused(stage: Stage, term_days: int) -> None:
    with pytest.raises(TermOutOfBounds) as refused:
        await recorded(stage, term_days=term_days)
    assert refused.value.field == "term_days"


@pytest.mark.rule("C9")
@pytest.mark.parametrize("language", ["en", "es"])
async def test_the_form_is_kept_by_version_language_and_hash(stage: Stage, language: str) -> None:
    row = await recorded(stage, form_language=language)
    content = published.path("notifications", "forms", f"release.{language}.txt").read_bytes()
    assert row.form_language == language
    assert row.form_hash == hashlib.sha256(content).hexdigest()
    assert content.decode().splitlines()[0] == f"Version: {row.form_version}"


async def test_how_a_release_was_given_is_kept(stage: Stage) -> None:
    witness = stage.partners.custodian.intake.member_id
    row = await recorded(stage, method=Method.WITNESSED, witnessed_by=witness, categories=frozenset({Category.SAFETY}))
    assert (row.method, row.signer, row.purpose) == (Method.WITNESSED, Signer.SURVIVOR, Purpose.SHELTER)
    assert row.categories == {Category.SAFETY}
    assert row.recipient_agency_id == stage.partners.recipient.agency_id


@pytest.mark.rule("C1")
async def test_a_release_for_one_s_own_agency_is_refused(stage: Stage) -> None:
    with pytest.raises(RecipientIsOwnAgency):
        await recorded(stage, recipient_agency_id=stage.partners.custodian.agency_id)


@pytest.mark.rule("C1")
async def test_a_release_names_an_agency_of_the_network(stage: Stage) -> None:
    with pytest.raises(NotFound) as refused:
        await recorded(stage, recipient_agency_id=uuid4())
    assert refused.value.field == "recipient_agency_id"


@pytest.mark.rule("C1")
async def test_an_unknown_category_is_refused(stage: Stage) -> None:
    with pytest.raises(UnknownCategory) as refused:
        await recorded(stage, categories=frozenset({"identity", "gossip"}))
    assert refused.value.field == "categories"


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"categories": frozenset()}, "categories"),
        ({"purpose": "curiosity"}, "purpose"),
        ({"method": "telepathy"}, "method"),
        ({"signer": "cousin"}, "signer"),
        ({"form_language": "xx"}, "form_language"),
        ({"form_language": "../en"}, "form_language"),
        ({"method": "witnessed"}, "witnessed_by"),
        ({"witnessed_by": uuid4()}, "witnessed_by"),
        ({"starts_at": present() - timedelta(days=2)}, "starts_at"),
        ({"starts_at": present() + timedelta(days=31)}, "starts_at"),
        ({"starts_at": present().replace(tzinfo=None)}, "starts_at"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_by_its_field(
    stage: Stage, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await recorded(stage, **changes)
    assert refused.value.field == field


async def test_a_witness_is_a_colleague_and_not_the_recorder(stage: Stage) -> None:
    for nobody in (stage.partners.custodian.coordinator, stage.partners.stranger.intake):
        with pytest.raises(InvalidInput, match="another member of your agency"):
            await recorded(stage, method=Method.WITNESSED, witnessed_by=nobody.member_id)


def years_ago(years: int) -> date:
    return present().date() - timedelta(days=round(365.25 * years) + 10)


@pytest.mark.rule("C7")
@pytest.mark.parametrize(
    ("age_years", "signer", "purpose", "refusal"),
    [
        (16, Signer.SURVIVOR, Purpose.IMMIGRATION, MinorNeedsGuardian),
        (16, Signer.GUARDIAN, Purpose.IMMIGRATION, None),
        (16, Signer.SURVIVOR, Purpose.MEDICAL, None),
        (11, Signer.SURVIVOR, Purpose.MEDICAL, MinorNeedsGuardian),
        (30, Signer.GUARDIAN, Purpose.SHELTER, GuardianCannotSign),
        (None, Signer.GUARDIAN, Purpose.SHELTER, GuardianCannotSign),
        (None, Signer.SURVIVOR, Purpose.SHELTER, None),
    ],
)
async def test_who_may_sign_follows_from_age_and_purpose(
    stage: Stage, age_years: int | None, signer: Signer, purpose: Purpose, refusal: type[Exception] | None
) -> None:
    actor = stage.partners.custodian.coordinator
    born = None if age_years is None else years_ago(age_years)
    survivor_id = await make_survivor(stage.app, actor, stage.keyring, new=new_survivor(date_of_birth=born))
    guardian = None
    if signer is Signer.GUARDIAN:
        guardian = await make_signer(stage.app, actor, stage.keyring, survivor_id)
    if refusal is None:
        await make_release(stage, survivor_id, signer=signer, purpose=purpose, signer_id=guardian)
    else:
        with pytest.raises(refusal):
            await make_release(stage, survivor_id, signer=signer, purpose=purpose, signer_id=guardian)


@pytest.mark.rule("C6")
async def test_no_agency_records_a_release_of_another_s_survivor(stage: Stage) -> None:
    survivor_id = await make_survivor(stage.app, stage.partners.custodian.coordinator, stage.keyring)
    actor = stage.partners.stranger.coordinator
    answers = []
    for wanted in (survivor_id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await record(stage, actor, wanted)
        answers.append((refused.value.message, refused.value.field))
    assert answers[0] == answers[1]
    async with stage.app.transaction(actor) as session:
        assert await list_releases(session, actor, survivor_id) == []


async def test_another_agency_s_release_is_not_found(stage: Stage) -> None:
    row = await recorded(stage)
    async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
        assert await release(session, stage.partners.custodian.coordinator, row.id) == row
    for actor in (stage.partners.stranger.coordinator, stage.partners.recipient.coordinator):
        with pytest.raises(NotFound):
            async with stage.app.transaction(actor) as session:
                await release(session, actor, row.id)


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", ["intake", "agency_admin", "network_admin", "auditor"])
async def test_only_coordinators_record_releases(stage: Stage, role: str) -> None:
    actor = getattr(stage.partners.custodian, role)
    with pytest.raises(NotPermitted):
        await record(stage, actor, uuid4())


@pytest.mark.rule("C4")
@pytest.mark.parametrize("via", list(Via))
async def test_an_ended_release_says_when_how_and_who_took_it(stage: Stage, via: Via) -> None:
    row = await recorded(stage)
    taker, now = stage.partners.custodian.intake, present()
    async with stage.app.transaction(taker) as session:
        await end_release(session, taker, row.id, via=via, now=now)
    async with stage.app.transaction(taker) as session:
        ended = await release(session, taker, row.id)
    assert (ended.status, ended.ended_at, ended.ended_via) == (ReleaseStatus.INACTIVE, now, Ended(via))
    assert not ended.is_live(now)
    taken_by = await stage.superuser.fetchval(
        "select ended_recorded_by from survivor_release where release_id = $1", row.id
    )
    trail = await stage.superuser.fetch(
        "select member_id, detail from audit_event where action = 'release_ended' and subject_id = $1", row.id
    )
    assert taken_by == taker.member_id
    assert [tuple(entry) for entry in trail] == [(taker.member_id, f'{{"via": "{via}"}}')]
