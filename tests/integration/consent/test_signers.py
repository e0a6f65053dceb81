"""Who signs for a minor: somebody who is named, and nobody who has abused her or her other parent (C7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.consent import signing
from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.refusals import ReleaseWithdrawn, SignerIsAbuser
from referralnet.consent.releases import Ended, ReleaseRow, ReleaseStatus, release
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.marking import mark_signer_as_abuser
from referralnet.referrals.succeeding import narrow_release
from referralnet.survivors.abuser_marks import AbuserOf, lift_mark
from referralnet.survivors.revealing import read_history, reveal_survivor
from referralnet.survivors.signers import SIGNERS_MAX, NewSigner, Relationship, add_signer, remove_signer
from tests.factories.consent import Stage, make_release
from tests.factories.referrals import run
from tests.factories.survivors import make_signer, make_survivor, new_survivor, present, tables_that_show

SIXTEEN = present().date() - timedelta(days=16 * 366)
MARK_BY_SQL = text("""
    insert into survivor_signer_mark (id, agency_id, survivor_id, signer_id, abuser_of, marked_by, marked_at)
    select gen_random_uuid(), agency_id, survivor_id, id, 'survivor', acting_member(), now() from survivor_signer
    where id = :signer
""")


@pytest_asyncio.fixture
async def minor(stage: Stage) -> UUID:
    return await make_minor(stage)


async def make_minor(stage: Stage, born: date = SIXTEEN) -> UUID:
    return await make_survivor(stage.app, coordinator(stage), stage.keyring, new=new_survivor(date_of_birth=born))


def coordinator(stage: Stage) -> Member:
    return stage.partners.custodian.coordinator


async def guardian_of(stage: Stage, survivor_id: UUID, **changes: Any) -> UUID:
    return await make_signer(stage.app, coordinator(stage), stage.keyring, survivor_id, **changes)


async def signed(stage: Stage, survivor_id: UUID, signer_id: UUID | None) -> UUID:
    """A release for which a minor of sixteen wants a guardian."""
    guardian = {"signer": Signer.GUARDIAN, "purpose": Purpose.IMMIGRATION, "signer_id": signer_id}
    return await make_release(stage, survivor_id, **guardian)


async def mark(stage: Stage, signer_id: UUID, abuser_of: AbuserOf = AbuserOf.SURVIVOR) -> UUID:
    actor = coordinator(stage)
    return await run(stage.app, actor, mark_signer_as_abuser, signer_id, abuser_of=abuser_of, now=present())


async def kept(stage: Stage, release_id: UUID) -> ReleaseRow:
    return await run(stage.app, coordinator(stage), release, release_id)


@pytest.mark.rule("C7")
async def test_a_release_names_the_guardian_who_signed_it(stage: Stage, minor: UUID) -> None:
    guardian = await guardian_of(stage, minor)
    row = await kept(stage, await signed(stage, minor, guardian))
    assert (row.status, row.signer, row.signer_id) == (ReleaseStatus.ACTIVE, Signer.GUARDIAN, guardian)
    async with stage.app.transaction(coordinator(stage)) as session:
        by_nobody = text("update survivor_release set signer_id = null where release_id = :id")
        with pytest.raises(DBAPIError, match="stays as it was signed"):
            await session.execute(by_nobody, {"id": row.id})
    with pytest.raises(InvalidInput) as unnamed:
        await signed(stage, minor, None)
    with pytest.raises(InvalidInput) as alone:
        await make_release(stage, minor, purpose=Purpose.MEDICAL, signer_id=guardian)
    assert {unnamed.value.field, alone.value.field} == {"signer_id"}


@pytest.mark.rule("C7", "C6")
async def test_nobody_signs_who_is_not_hers_or_may_no_more(stage: Stage, minor: UUID) -> None:
    gone, hers_alone = await guardian_of(stage, minor), await guardian_of(stage, await make_minor(stage))
    before = await signed(stage, minor, gone)
    await run(stage.app, coordinator(stage), remove_signer, gone, now=present())
    for nobody in (gone, hers_alone, uuid4()):
        with pytest.raises(NotFound) as refused:
            await signed(stage, minor, nobody)
        assert refused.value.field == "signer_id"
    assert (await kept(stage, before)).status is ReleaseStatus.ACTIVE, "what was signed stands"


@pytest.mark.rule("C7")
@pytest.mark.parametrize("abuser_of", list(AbuserOf))
async def test_whoever_abused_her_or_her_other_parent_signs_nothing_and_another_may(
    stage: Stage, minor: UUID, abuser_of: AbuserOf
) -> None:
    abuser, other = await guardian_of(stage, minor), await guardian_of(stage, minor, name="Other Parent")
    await mark(stage, abuser, abuser_of)
    with pytest.raises(SignerIsAbuser) as refused:
        await signed(stage, minor, abuser)
    assert refused.value.field == "signer_id"
    # Nor does the mark keep her from what she may have, and sign for, alone.
    for release_id in (await signed(stage, minor, other), await make_release(stage, minor, purpose=Purpose.MEDICAL)):
        assert (await kept(stage, release_id)).is_live(present())


@pytest.mark.rule("C7")
async def test_a_mark_that_is_taken_back_lets_sign_and_revives_nothing(stage: Stage, minor: UUID) -> None:
    guardian = await guardian_of(stage, minor)
    release_id = await signed(stage, minor, guardian)
    mark_id = await mark(stage, guardian)
    assert await mark(stage, guardian) == mark_id, "it is marked once"
    second = await mark(stage, guardian, AbuserOf.OTHER_PARENT)
    actor = coordinator(stage)
    await run(stage.app, actor, lift_mark, mark_id, now=present())
    with pytest.raises(SignerIsAbuser):
        await signed(stage, minor, guardian)
    await run(stage.app, actor, lift_mark, second, now=present())
    with pytest.raises(NotFound):
        await run(stage.app, actor, lift_mark, mark_id, now=present())
    assert (await kept(stage, await signed(stage, minor, guardian))).status is ReleaseStatus.ACTIVE
    ended = await kept(stage, release_id)
    assert (ended.status, ended.ended_via) == (ReleaseStatus.INACTIVE, Ended.SIGNER_MARKED)
    told = await run(stage.app, actor, read_history, minor, keyring=stage.keyring, now=present())
    assert [(one.abuser_of, one.lifted_by) for one in told.signers[0].marks] == [
        (AbuserOf.SURVIVOR, actor.member_id), (AbuserOf.OTHER_PARENT, actor.member_id),
    ]  # fmt: skip


@pytest.mark.rule("C7")
async def test_what_is_narrowed_is_signed_by_the_same_guardian_and_ends_with_the_mark(
    stage: Stage, minor: UUID
) -> None:
    guardian, intake = await guardian_of(stage, minor), stage.partners.custodian.intake
    wide = await signed(stage, minor, guardian)
    less = {"categories": frozenset({Category.NEEDS}), "via": Via.ORAL, "keyring": stage.keyring, "now": present()}
    # Whoever hears her takes her word, and need not be somebody who may read who signs for her.
    narrow = await run(stage.app, intake, narrow_release, wide, **less)
    assert (await kept(stage, narrow)).signer_id == guardian
    await mark(stage, guardian)
    assert (await kept(stage, narrow)).ended_via is Ended.SIGNER_MARKED
    with pytest.raises(ReleaseWithdrawn):
        await run(stage.app, coordinator(stage), narrow_release, narrow, **less)


@pytest.mark.rule("C7")
@pytest.mark.parametrize("who", ["marked", "removed", "hers alone", None])
async def test_the_database_itself_lets_nobody_sign_who_may_not(
    stage: Stage, minor: UUID, monkeypatch: pytest.MonkeyPatch, who: str | None
) -> None:
    guardian = None if who is None else await guardian_of(stage, minor)
    if who == "marked":
        await mark(stage, guardian)  # type: ignore[arg-type]
    elif who == "removed":
        await run(stage.app, coordinator(stage), remove_signer, guardian, now=present())
    elif who == "hers alone":
        guardian = await guardian_of(stage, await make_minor(stage))

    async def forgets(*_: object) -> None:
        return None

    monkeypatch.setattr(signing, "_check_guardian", forgets)
    with pytest.raises(DBAPIError, match=r"signs nothing|who signs is named|violates foreign key"):
        await signed(stage, minor, guardian)


@pytest.mark.rule("C7")
async def test_the_database_itself_marks_nobody_while_what_they_signed_is_in_force(stage: Stage, minor: UUID) -> None:
    guardian = await guardian_of(stage, minor)
    release_id = await signed(stage, minor, guardian)
    with pytest.raises(DBAPIError, match="ends with the mark"):
        async with stage.app.transaction(coordinator(stage)) as session:
            await session.execute(MARK_BY_SQL, {"signer": guardian})
    assert (await kept(stage, release_id)).status is ReleaseStatus.ACTIVE
    mark_id = await mark(stage, guardian)
    await run(stage.app, coordinator(stage), lift_mark, mark_id, now=present())
    async with stage.app.transaction(coordinator(stage)) as session:
        again = text("update survivor_signer_mark set lifted_at = null, lifted_by = null where id = :id")
        assert (await session.execute(again, {"id": mark_id})).rowcount == 0  # type: ignore[attr-defined]


@pytest.mark.rule("C7")
async def test_what_is_left_of_a_release_is_not_put_down_to_another_signer(
    stage: Stage, minor: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from referralnet.consent import narrowing

    wide = await signed(stage, minor, await guardian_of(stage, minor))
    as_signed = narrowing._as_signed

    async def as_signed_by_nobody(session: Any, release_id: UUID) -> dict[str, object]:
        return {**await as_signed(session, release_id), "signer_id": None}

    monkeypatch.setattr(narrowing, "_as_signed", as_signed_by_nobody)
    less = {"categories": frozenset({Category.NEEDS}), "via": Via.ORAL, "keyring": stage.keyring, "now": present()}
    with pytest.raises(DBAPIError, match="signed by whoever signed it all"):
        await run(stage.app, coordinator(stage), narrow_release, wide, **less)


@pytest.mark.rule("C7")
async def test_of_a_mark_and_a_signature_at_the_same_moment_no_release_of_an_abuser_is_left(stage: Stage) -> None:
    for _ in range(4):
        survivor_id = await make_minor(stage)
        guardian = await guardian_of(stage, survivor_id)
        attempts: list[Awaitable[UUID]] = [signed(stage, survivor_id, guardian) for _ in range(3)]
        came_of_it = await asyncio.gather(*attempts, mark(stage, guardian), return_exceptions=True)
        assert all(not isinstance(one, BaseException) or isinstance(one, SignerIsAbuser) for one in came_of_it)
        assert isinstance(came_of_it[-1], UUID), "the mark is set whatever is signed"
        left = (
            "select count(*) from release join survivor_release on release_id = id where signer_id = $1 and status = $2"
        )
        assert await stage.superuser.fetchval(left, guardian, "active") == 0


@pytest.mark.rule("P4")
async def test_who_may_sign_is_sealed_and_shown_with_a_second_factor_alone(stage: Stage, minor: UUID) -> None:
    name = f"Guardian {uuid4().hex}"
    signer_id = await guardian_of(stage, minor, name=name, relationship=Relationship.GUARDIAN)
    assert await tables_that_show(stage.superuser, name) == set()
    actor = coordinator(stage)
    shown = await run(stage.app, actor, reveal_survivor, minor, keyring=stage.keyring, now=present())
    assert [(one.id, one.name, one.relationship) for one in shown.signers] == [(signer_id, name, Relationship.GUARDIAN)]
    await run(stage.app, actor, remove_signer, signer_id, now=present())
    shown = await run(stage.app, actor, reveal_survivor, minor, keyring=stage.keyring, now=present())
    assert shown.signers == ()
    told = await run(stage.app, actor, read_history, minor, keyring=stage.keyring, now=present())
    assert [one.name for one in told.signers] == [name]


@pytest.mark.rule("A1", "C6")
async def test_who_signs_is_kept_and_marked_by_coordinators_of_her_custodian_alone(stage: Stage, minor: UUID) -> None:
    signer_id, stranger = await guardian_of(stage, minor), stage.partners.stranger.coordinator
    mark_id, new = await mark(stage, signer_id), NewSigner("Somebody", Relationship.PARENT)
    attempts: list[tuple[Any, UUID, dict[str, Any]]] = [
        (add_signer, minor, {"new": new, "keyring": stage.keyring}),
        (remove_signer, signer_id, {}),
        (mark_signer_as_abuser, signer_id, {"abuser_of": AbuserOf.SURVIVOR}),
        (lift_mark, mark_id, {}),
    ]
    for act, wanted, given in attempts:
        with pytest.raises(NotPermitted):
            await run(stage.app, stage.partners.custodian.intake, act, wanted, **given, now=present())
        answers = []
        for one in (wanted, uuid4()):
            with pytest.raises(NotFound) as refused:
                await run(stage.app, stranger, act, one, **given, now=present())
            answers.append((refused.value.message, refused.value.field))
        assert answers[0] == answers[1]


@pytest.mark.rule("A5")
async def test_a_mark_is_taken_back_with_a_second_factor(stage: Stage, minor: UUID) -> None:
    mark_id = await mark(stage, await guardian_of(stage, minor))
    with pytest.raises(StepUpNeeded):
        await run(stage.app, coordinator(stage), lift_mark, mark_id, now=present() + timedelta(minutes=6))


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("name", "relationship", "field"),
    [(" ", Relationship.PARENT, "name"), ("a" * 201, Relationship.PARENT, "name"), ("A", "uncle", "relationship")],
)
async def test_a_signer_who_cannot_be_is_refused_by_the_field(
    stage: Stage, minor: UUID, name: str, relationship: Relationship, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await guardian_of(stage, minor, name=name, relationship=relationship)
    assert refused.value.field == field


async def test_no_more_people_sign_for_her_than_can_be_looked_over(stage: Stage, minor: UUID) -> None:
    for _ in range(SIGNERS_MAX):
        await guardian_of(stage, minor)
    with pytest.raises(InvalidInput, match="remove one first"):
        await guardian_of(stage, minor)
