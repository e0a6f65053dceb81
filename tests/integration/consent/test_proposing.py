"""From the page she is shown to her signature, or to her no: what is kept, who may, and what the database refuses."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent.categories import Category
from referralnet.consent.form import published_form
from referralnet.consent.handoffs import list_handoffs, record_handoff
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.proposing import Proposal, decline_release, propose_releases
from referralnet.consent.refusals import NoLiveRelease, ReleaseExpired, ReleaseNotProposed, ReleaseWithdrawn
from referralnet.consent.releases import (
    Ended,
    Method,
    ReleaseRow,
    ReleaseStatus,
    list_releases,
    proposed_together,
    release,
)
from referralnet.consent.signatures import Signature, SignatureKind
from referralnet.consent.signing import Signed, read_signature, sign_release
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity.step_up import StepUpNeeded
from tests.factories.consent import RELEASED, Stage, make_case, make_release
from tests.factories.survivors import make_survivor, present, tables_that_show

ON_PAPER = Signed(Signer.SURVIVOR, Method.WRITTEN)
TYPED = Signature(SignatureKind.TYPED, "Xochiquetzal Canary")


def proposal(stage: Stage, **changes: object) -> Proposal:
    values: dict[str, object] = {
        "recipient_agency_id": stage.partners.recipient.agency_id,
        "purpose": Purpose.SHELTER,
        "categories": RELEASED,
        "form_language": "es",
    }
    return Proposal(**{**values, **changes})  # type: ignore[arg-type]


async def survivor(stage: Stage) -> UUID:
    return await make_survivor(stage.app, stage.partners.custodian.coordinator, stage.keyring)


async def proposed(stage: Stage, survivor_id: UUID | None = None, *proposals: Proposal) -> list[ReleaseRow]:
    """Releases that were put before a survivor together."""
    actor = stage.partners.custodian.coordinator
    survivor_id = survivor_id or await survivor(stage)
    async with stage.app.transaction(actor) as session:
        wanted = proposals or (proposal(stage),)
        proposal_id = await propose_releases(session, actor, survivor_id, wanted, now=present())
        return await proposed_together(session, actor, proposal_id)


async def sign(stage: Stage, release_id: UUID, signed: Signed = ON_PAPER, actor: Member | None = None) -> ReleaseRow:
    actor = actor or stage.partners.custodian.coordinator
    async with stage.app.transaction(actor) as session:
        await sign_release(session, actor, release_id, signed, keyring=stage.keyring, now=present())
        return await release(session, actor, release_id)


@pytest.mark.rule("C9")
@pytest.mark.parametrize("language", ["en", "es"])
async def test_she_is_shown_the_form_in_her_language_and_its_version_and_hash_are_kept(
    stage: Stage, language: str
) -> None:
    (row,) = await proposed(stage, None, proposal(stage, form_language=language))
    form = published_form(language)
    assert (row.form_language, row.form_version, row.form_hash) == (language, form.version, form.hash.hex())
    assert row.form_text == form.text
    await stage.superuser.execute(
        "update survivor_release set form_hash = sha256('an older form') where release_id = $1", row.id
    )
    async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
        older = await release(session, stage.partners.custodian.coordinator, row.id)
    assert older.form_text is None, "the words of another form would not be those that she was shown"


@pytest.mark.rule("C1")
async def test_what_is_proposed_is_not_in_force_until_she_signs(stage: Stage) -> None:
    (row,) = await proposed(stage)
    assert (row.status, row.method, row.signed_at) == (ReleaseStatus.PROPOSED, None, None)
    assert not row.is_live(present())
    keys = "select data_key_id from release where id = $1"
    assert await stage.superuser.fetchval(keys, row.id) is None
    signed = await sign(stage, row.id)
    assert (signed.status, signed.method, signed.signer) == (ReleaseStatus.ACTIVE, Method.WRITTEN, Signer.SURVIVOR)
    assert signed.signed_at is not None
    assert signed.is_live(present())
    assert (signed.starts_at, signed.expires_at) == (row.starts_at, row.expires_at), "as she read it"


async def test_several_agencies_are_several_releases_each_signed_or_declined_by_itself(stage: Stage) -> None:
    stranger = stage.partners.stranger.agency_id
    rows = await proposed(
        stage,
        None,
        proposal(stage),
        proposal(stage, recipient_agency_id=stranger, categories=frozenset({Category.NEEDS}), term_days=7),
    )
    by_recipient = {row.recipient_agency_id: row for row in rows}
    assert len({row.proposal_id for row in rows}) == 1
    assert by_recipient[stranger].categories == {Category.NEEDS}
    actor = stage.partners.custodian.coordinator
    await sign(stage, by_recipient[stage.partners.recipient.agency_id].id)
    async with stage.app.transaction(actor) as session:
        await decline_release(session, actor, by_recipient[stranger].id, now=present())
        after = {row.recipient_agency_id: row for row in await list_releases(session, actor, rows[0].survivor_id)}
    assert after[stage.partners.recipient.agency_id].status is ReleaseStatus.ACTIVE
    assert (after[stranger].status, after[stranger].ended_via) == (ReleaseStatus.REJECTED, Ended.DECLINED)


async def test_one_that_is_wrong_leaves_none_proposed(stage: Stage) -> None:
    survivor_id, actor = await survivor(stage), stage.partners.custodian.coordinator
    with pytest.raises(NotFound):
        await proposed(stage, survivor_id, proposal(stage), proposal(stage, recipient_agency_id=uuid4()))
    for count in (0, 21):
        with pytest.raises(InvalidInput):
            async with stage.app.transaction(actor) as session:
                await propose_releases(session, actor, survivor_id, [proposal(stage)] * count, now=present())
    async with stage.app.transaction(actor) as session:
        assert await list_releases(session, actor, survivor_id) == []


async def test_a_release_is_signed_or_declined_once(stage: Stage) -> None:
    actor = stage.partners.custodian.coordinator
    signed, declined = (await proposed(stage))[0].id, (await proposed(stage))[0].id
    await sign(stage, signed)
    async with stage.app.transaction(actor) as session:
        await decline_release(session, actor, declined, now=present())
    for release_id in (signed, declined):
        with pytest.raises(ReleaseNotProposed):
            await sign(stage, release_id)
        with pytest.raises(ReleaseNotProposed):
            async with stage.app.transaction(actor) as session:
                await decline_release(session, actor, release_id, now=present())


@pytest.mark.rule("C9")
async def test_a_page_whose_last_day_has_passed_is_not_signed(stage: Stage) -> None:
    (row,) = await proposed(stage)
    actor, later = stage.partners.custodian.coordinator, row.expires_at + timedelta(seconds=1)
    with pytest.raises(ReleaseExpired):
        async with stage.app.transaction(actor) as session:
            await sign_release(session, actor, row.id, ON_PAPER, keyring=stage.keyring, now=later)


async def test_who_keeps_the_paper_is_kept(stage: Stage) -> None:
    custody = stage.partners.custodian
    kept_by = "select paper_kept_by, taken_by, recorded_by from survivor_release where release_id = $1"
    for keeper, expected in ((None, custody.coordinator.member_id), (custody.intake.member_id,) * 2):
        (row,) = await proposed(stage)
        await sign(stage, row.id, Signed(Signer.SURVIVOR, Method.WRITTEN, paper_kept_by=keeper))
        (found,) = await stage.superuser.fetch(kept_by, row.id)
        assert tuple(found) == (expected, custody.coordinator.member_id, custody.coordinator.member_id)


@pytest.mark.parametrize(
    "content",
    [TYPED, Signature(SignatureKind.PATH, "M10 10 L 20 20")],
    ids=["typed", "drawn"],
)
@pytest.mark.rule("P4")
async def test_a_signature_on_the_screen_is_sealed_under_her_own_key_and_read_after_a_second_factor(
    stage: Stage, content: Signature
) -> None:
    actor = stage.partners.custodian.coordinator
    (row,) = await proposed(stage)
    await sign(stage, row.id, Signed(Signer.SURVIVOR, Method.ELECTRONIC, signature=content))
    assert await tables_that_show(stage.superuser, content.content) == set()
    async with stage.app.transaction(actor) as session:
        assert await read_signature(session, actor, row.id, keyring=stage.keyring, now=present()) == content
    trail = "select count(*) from audit_event where action = 'signature_read' and subject_id = $1"
    assert await stage.superuser.fetchval(trail, row.id) == 1
    late = present() + timedelta(minutes=6)
    with pytest.raises(StepUpNeeded):
        async with stage.app.transaction(actor) as session:
            await read_signature(session, actor, row.id, keyring=stage.keyring, now=late)
    with pytest.raises(NotFound):
        async with stage.app.transaction(stage.partners.stranger.coordinator) as session:
            await read_signature(
                session, stage.partners.stranger.coordinator, row.id, keyring=stage.keyring, now=present()
            )


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("signed", "field"),
    [
        (Signed(Signer.SURVIVOR, Method.ELECTRONIC), "signature"),
        (Signed(Signer.SURVIVOR, Method.WRITTEN, signature=TYPED), "signature"),
        (Signed(Signer.SURVIVOR, Method.WITNESSED), "witnessed_by"),
        (Signed(Signer.SURVIVOR, Method.WITNESSED, paper_kept_by=uuid4()), "paper_kept_by"),
        (Signed(Signer.SURVIVOR, Method.WRITTEN, paper_kept_by=uuid4()), "paper_kept_by"),
        (Signed(Signer.SURVIVOR, "telepathy"), "method"),  # type: ignore[arg-type]
    ],
)
async def test_a_signature_that_is_not_whole_is_refused_by_its_field(stage: Stage, signed: Signed, field: str) -> None:
    (row,) = await proposed(stage)
    with pytest.raises(InvalidInput) as refused:
        await sign(stage, row.id, signed)
    assert refused.value.field == field


@pytest.mark.rule("A1")
async def test_only_her_custodian_s_coordinators_propose_sign_and_decline(stage: Stage) -> None:
    (row,) = await proposed(stage)
    with pytest.raises(NotPermitted):
        await sign(stage, row.id, actor=stage.partners.custodian.intake)
    for stranger in (stage.partners.stranger.coordinator, stage.partners.recipient.coordinator):
        with pytest.raises(NotFound):
            await sign(stage, row.id, actor=stranger)
        with pytest.raises(NotFound):
            async with stage.app.transaction(stranger) as session:
                await decline_release(session, stranger, row.id, now=present())


async def _write(stage: Stage, statement: str, **values: object) -> None:
    async with stage.app.transaction(stage.partners.custodian.coordinator) as session:
        await session.execute(text(statement), values)


@pytest.mark.rule("C2")
async def test_the_database_lets_no_release_into_force_that_nobody_signed(stage: Stage) -> None:
    (row,) = await proposed(stage)
    other = await make_release(stage, row.survivor_id)
    taken = "(select data_key_id from release where id = :other)"
    with pytest.raises(DBAPIError, match="has_a_key"):
        await _write(stage, "update release set status = 'active' where id = :id", id=row.id)
    with pytest.raises(DBAPIError, match="once it is signed"):
        await _write(
            stage,
            f"with gone as (select {taken} as key_id) update release set status = 'active',"
            " data_key_id = (select id from keystore.data_key where purpose = 'survivor' limit 1) where id = :id",
            id=row.id,
            other=other,
        )


@pytest.mark.rule("C2")
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("signer = 'guardian'", "stays as it was signed"),
        ("signed_at = now()", "stays as it was signed"),
        ("signature_kind = 'typed', signature_sealed = '\\x00'", "stays as it was signed"),
        ("form_hash = sha256('another')", "permission denied"),
        ("survivor_id = gen_random_uuid()", "permission denied"),
    ],
)
async def test_what_she_signed_is_not_rewritten(stage: Stage, change: str, refusal: str) -> None:
    (row,) = await proposed(stage)
    await sign(stage, row.id)
    with pytest.raises(DBAPIError, match=refusal):
        await _write(stage, f"update survivor_release set {change} where release_id = :id", id=row.id)


@pytest.mark.rule("C2")
async def test_a_release_in_force_keeps_its_key(stage: Stage) -> None:
    case = await make_case(stage)
    with pytest.raises(DBAPIError, match="keeps it"):
        await _write(
            stage,
            "update release set data_key_id = (select id from keystore.data_key where purpose = 'survivor' limit 1)"
            " where id = :id",
            id=case.release_id,
        )


@pytest.mark.rule("C8")
async def test_whoever_declines_still_gets_the_directory_and_a_handoff_by_hand(stage: Stage, owner: Database) -> None:
    from tests.factories.referrals import make_network

    actor = stage.partners.custodian.coordinator
    (row,) = await proposed(stage)
    async with stage.app.transaction(actor) as session:
        await decline_release(session, actor, row.id, now=present())
    network = await make_network(owner)
    now = present()
    # The second is a service of nobody in the network: the front door is the front door.
    for entry_id, declined in (
        (network.service_at_location_id, row.id),
        (network.unlinked_service_at_location_id, None),
    ):
        async with stage.app.transaction(actor) as session:
            found = await session.scalar(
                text("select service_name from directory_listing where service_at_location_id = :id"), {"id": entry_id}
            )
            assert found == "Beds"
            await record_handoff(session, actor, row.survivor_id, entry_id, declined_release_id=declined, now=now)
            now += timedelta(seconds=1)
    async with stage.app.transaction(actor) as session:
        second, first = await list_handoffs(session, actor, row.survivor_id)
    assert (first.organization_name, first.service_name, first.made_by) == ("House", "Beds", actor.member_id)
    assert (first.declined_release_id, second.declined_release_id) == (row.id, None)
    assert await stage.superuser.fetchval("select count(*) from disclosure where release_id = $1", row.id) == 0


@pytest.mark.rule("C8")
@pytest.mark.rule("C6")
async def test_a_handoff_is_of_her_custodian_alone(stage: Stage, owner: Database) -> None:
    from tests.factories.referrals import make_network

    actor, stranger = stage.partners.custodian.coordinator, stage.partners.stranger.coordinator
    survivor_id, entry_id = await survivor(stage), (await make_network(owner)).service_at_location_id
    with pytest.raises(NotFound):
        async with stage.app.transaction(stranger) as session:
            await record_handoff(session, stranger, survivor_id, entry_id, now=present())
    with pytest.raises(NotFound):
        async with stage.app.transaction(actor) as session:
            await record_handoff(session, actor, survivor_id, uuid4(), now=present())
    signed = await make_release(stage, survivor_id)
    with pytest.raises(InvalidInput):
        async with stage.app.transaction(actor) as session:
            await record_handoff(session, actor, survivor_id, entry_id, declined_release_id=signed, now=present())
    async with stage.app.transaction(actor) as session:
        await record_handoff(session, actor, survivor_id, entry_id, now=present())
    async with stage.app.transaction(stranger) as session:
        assert await list_handoffs(session, stranger, survivor_id) == []


async def test_what_was_withdrawn_is_not_signed_and_a_proposal_is_no_release_to_withdraw(stage: Stage) -> None:
    from referralnet.consent.ending import Via, end_every_release, end_release

    actor = stage.partners.custodian.coordinator
    (row,) = await proposed(stage)
    with pytest.raises(NoLiveRelease):
        async with stage.app.transaction(actor) as session:
            await end_release(session, actor, row.id, via=Via.ORAL, now=present())
    withdrawn_id = await make_release(stage, row.survivor_id)
    async with stage.app.transaction(actor) as session:
        taken_by = actor.member_id
        ended = await end_every_release(session, row.survivor_id, via=Via.ORAL, taken_by=taken_by, now=present())
    assert ended == 1, "a proposal was never in force"
    with pytest.raises(ReleaseNotProposed):
        await sign(stage, row.id)
    with pytest.raises(ReleaseWithdrawn):
        async with stage.app.transaction(actor) as session:
            await end_release(session, actor, withdrawn_id, via=Via.ORAL, now=present())
