"""An agency's admin keeps its members: invites them, knowing no password; her own roles she does not change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pyotp
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.clock import FixedClock
from referralnet.database.acting import Nobody, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity import invitations, members
from referralnet.identity.agencies import LoginTaken
from referralnet.identity.invitations import Chosen, InvitationRefused
from referralnet.identity.members import NewColleague, NotYourself
from referralnet.identity.passwords import PasswordTooWeak
from referralnet.identity.sessions import OpenedSession, SessionKind
from referralnet.identity.sign_in import SignInRefused, sign_in
from referralnet.identity.step_up import StepUpRefused
from tests.factories.identity import MadeMember, make_agency, make_member

GOOD = "a sentence that I remember"


@pytest.fixture
async def admin(owner: Database, keyring: Keyring) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner), (Role.AGENCY_ADMIN,))


@pytest.fixture
async def colleague(owner: Database, keyring: Keyring, admin: MadeMember) -> MadeMember:
    return await make_member(owner, keyring, admin.actor.agency_id, (Role.INTAKE,))


def somebody(login: str, *roles: Role) -> NewColleague:
    return NewColleague(login, "Noa Example", roles or (Role.INTAKE,), date(2027, 1, 1))


async def invited(app: Database, admin: MadeMember, new: NewColleague, clock: FixedClock) -> str:
    async with app.transaction(admin.actor) as session:
        _, code = await members.invite(session, admin.actor, new, now=clock.now())
    return code


def chosen(clock: FixedClock, password: str = GOOD) -> Chosen:
    secret = pyotp.random_base32()
    return Chosen(password, secret, pyotp.TOTP(secret).at(clock.now()))


async def enter(
    app: Database, keyring: Keyring, login: str, password: str, clock: FixedClock
) -> OpenedSession | Refusal:
    hours = timedelta(hours=1)
    return await sign_in(app, login, password, SessionKind.BROWSER, lifetime=hours, keyring=keyring, now=clock.now())


@pytest.mark.rule("A7")
async def test_an_invited_member_chooses_how_to_sign_in_and_the_code_works_once(
    app: Database, keyring: Keyring, admin: MadeMember, clock: FixedClock
) -> None:
    code = await invited(app, admin, somebody("Noa@Harbor.example"), clock)
    assert isinstance(await enter(app, keyring, "noa@harbor.example", GOOD, clock), SignInRefused)
    who = await invitations.accept(app, code.lower().replace("-", " "), chosen(clock), keyring=keyring, now=clock.now())
    assert (who.login, who.display_name) == ("noa@harbor.example", "Noa Example")
    assert isinstance(await enter(app, keyring, "noa@harbor.example", GOOD, clock), OpenedSession)
    with pytest.raises(InvitationRefused):
        await invitations.accept(app, code, chosen(clock), keyring=keyring, now=clock.now())


@pytest.mark.rule("A7")
async def test_a_code_is_good_for_two_days_and_until_the_next_one(
    app: Database, keyring: Keyring, admin: MadeMember, clock: FixedClock
) -> None:
    first = await invited(app, admin, somebody("late@harbor.example"), clock)
    async with app.transaction(admin.actor) as session:
        rows = await members.list_members(session, admin.actor, now=clock.now())
        (late,) = [row for row in rows if row.login == "late@harbor.example"]
        second = await members.invite_again(session, admin.actor, late.id, now=clock.now())
    assert (late.can_sign_in, late.invited_until) == (False, clock.now() + invitations.GOOD_FOR)
    with pytest.raises(InvitationRefused):
        await invitations.accept(app, first, chosen(clock), keyring=keyring, now=clock.now())
    clock.advance(invitations.GOOD_FOR)
    with pytest.raises(InvitationRefused):
        await invitations.accept(app, second, chosen(clock), keyring=keyring, now=clock.now())


@pytest.mark.rule("A7")
async def test_a_weak_password_or_a_wrong_code_of_the_authenticator_uses_nothing_up(
    app: Database, keyring: Keyring, admin: MadeMember, clock: FixedClock
) -> None:
    code = await invited(app, admin, somebody("careful@harbor.example"), clock)
    with pytest.raises(PasswordTooWeak):
        await invitations.accept(app, code, chosen(clock, "short"), keyring=keyring, now=clock.now())
    wrong = replace(chosen(clock), totp_code="000000")
    with pytest.raises(StepUpRefused):
        await invitations.accept(app, code, wrong, keyring=keyring, now=clock.now())
    await invitations.accept(app, code, chosen(clock), keyring=keyring, now=clock.now())


@pytest.mark.rule("A7")
async def test_a_new_invitation_ends_the_old_password_and_every_session_once_it_is_used(
    app: Database, keyring: Keyring, admin: MadeMember, colleague: MadeMember, clock: FixedClock
) -> None:
    async with app.transaction(admin.actor) as session:
        code = await members.invite_again(session, admin.actor, colleague.actor.member_id, now=clock.now())
        before = await members.find_colleague(session, admin.actor, colleague.actor.member_id, now=clock.now())
    assert before.open_sessions == 1
    await invitations.accept(app, code, chosen(clock), keyring=keyring, now=clock.now())
    assert isinstance(await enter(app, keyring, colleague.login, colleague.password, clock), SignInRefused)
    async with app.transaction(admin.actor) as session:
        after = await members.find_colleague(session, admin.actor, colleague.actor.member_id, now=clock.now())
    assert (after.open_sessions, after.has_second_factor, after.invited_until) == (0, True, None)


@pytest.mark.rule("A3")
async def test_a_member_who_is_disabled_is_out_at_once_and_comes_back_as_before(
    app: Database, keyring: Keyring, admin: MadeMember, colleague: MadeMember, clock: FixedClock
) -> None:
    async with app.transaction(admin.actor) as session:
        await members.disable(session, admin.actor, colleague.actor.member_id, now=clock.now())
    async with app.transaction(colleague.actor) as session:
        assert await session.scalar(text("select acting_agency()")) is None
    assert isinstance(await enter(app, keyring, colleague.login, colleague.password, clock), SignInRefused)
    async with app.transaction(admin.actor) as session:
        await members.enable(session, admin.actor, colleague.actor.member_id)
    assert isinstance(await enter(app, keyring, colleague.login, colleague.password, clock), OpenedSession)


@pytest.mark.rule("A3")
async def test_nobody_changes_their_own_roles(app: Database, admin: MadeMember, clock: FixedClock) -> None:
    own, now = admin.actor.member_id, clock.now()
    with pytest.raises(NotYourself):
        async with app.transaction(admin.actor) as session:
            await members.change(session, admin.actor, own, [Role.COORDINATOR], None)
    with pytest.raises(NotYourself):
        async with app.transaction(admin.actor) as session:
            await members.invite_again(session, admin.actor, own, now=now)
    async with app.transaction(admin.actor) as session:
        grab = text("update member set roles = '{coordinator}' where id = :own returning 1")
        assert await session.scalar(grab, {"own": own}) is None  # nor by SQL


@pytest.mark.rule("A4")
async def test_who_administers_the_network_is_said_on_its_host_alone(
    app: Database, owner: Database, keyring: Keyring, admin: MadeMember, clock: FixedClock
) -> None:
    network_admin = await make_member(owner, keyring, admin.actor.agency_id, (Role.NETWORK_ADMIN,))
    with pytest.raises(InvalidInput):
        await invited(app, admin, somebody("grab@harbor.example", Role.NETWORK_ADMIN), clock)
    with pytest.raises(NotFound):
        async with app.transaction(admin.actor) as session:
            await members.disable(session, admin.actor, network_admin.actor.member_id, now=clock.now())
    with pytest.raises(DBAPIError, match="row-level security"):
        async with app.transaction(admin.actor) as session:
            await session.execute(
                text("""insert into member (id, agency_id, login, display_name, roles)
                        values (gen_random_uuid(), :agency, 'x', 'X', '{network_admin}')"""),
                {"agency": admin.actor.agency_id},
            )


@pytest.mark.rule("A1")
async def test_another_agencys_members_are_neither_seen_nor_touched(
    app: Database, owner: Database, keyring: Keyring, admin: MadeMember, clock: FixedClock
) -> None:
    stranger = await make_member(owner, keyring, await make_agency(owner), (Role.INTAKE,))
    theirs = stranger.actor.member_id
    async with app.transaction(admin.actor) as session:
        rows = await members.list_members(session, admin.actor, now=clock.now())
        assert theirs not in {row.id for row in rows}
        with pytest.raises(NotFound):
            await members.end_sessions(session, admin.actor, theirs, now=clock.now())
        ended = text("select end_member_sessions(:id, now())")
        assert await session.scalar(ended, {"id": theirs}) == 0
        assert await session.scalar(text("select count(*) from agency_accounts(now())")) == 1
    with pytest.raises(LoginTaken):
        await invited(app, admin, somebody(stranger.login), clock)


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INTAKE, Role.NETWORK_ADMIN, Role.AUDITOR])
async def test_whoever_is_no_admin_keeps_nobody(
    app: Database, owner: Database, keyring: Keyring, admin: MadeMember, clock: FixedClock, role: Role
) -> None:
    member = await make_member(owner, keyring, admin.actor.agency_id, (role,))
    with pytest.raises(NotPermitted):
        async with app.transaction(member.actor) as session:
            await members.list_members(session, member.actor, now=clock.now())
    async with app.transaction(member.actor) as session:
        assert await session.scalar(text("select count(*) from agency_accounts(now())")) == 0
        let_in = text("update member set disabled_at = now() where id = :id returning 1")
        assert await session.scalar(let_in, {"id": admin.actor.member_id}) is None


async def test_nobody_reads_a_code_out_of_the_database(app: Database, admin: MadeMember, clock: FixedClock) -> None:
    code = await invited(app, admin, somebody("quiet@harbor.example"), clock)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with app.transaction(admin.actor) as session:
            await session.execute(text("select code_hash from member_invitation"))
    async with app.transaction(Nobody()) as session:
        who = await invitations.find_invited(session, code, now=clock.now())
    assert who.login == "quiet@harbor.example"
