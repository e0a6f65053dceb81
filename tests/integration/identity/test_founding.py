"""Agencies join and leave: whoever keeps the network appoints the first admin of a new one, and nobody after."""

from __future__ import annotations

import secrets

import pyotp
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.identity import founding, invitations
from referralnet.identity.agencies import AgencyNameTaken, LoginTaken
from referralnet.identity.founding import AgencyHasBegun, NewAgency, OwnAgency
from referralnet.identity.invitations import Chosen
from tests.factories.identity import make_agency, make_member


@pytest.fixture
async def keeper(owner: Database, keyring: Keyring) -> Member:
    office = await make_agency(owner, kind=AgencyKind.NETWORK_OPERATOR)
    return (await make_member(owner, keyring, office, (Role.NETWORK_ADMIN,))).actor


def house(name: str | None = None, regime: str = "victim_service_provider") -> NewAgency:
    return NewAgency(name or f"House {secrets.token_hex(4)}", AgencyKind.VICTIM_SERVICES, regime, "America/Chicago")


def login() -> str:
    return f"{secrets.token_hex(6)}@new.example"


@pytest.mark.rule("A4")
async def test_the_first_admin_of_a_new_agency_is_appointed_and_nobody_after(
    app: Database, keyring: Keyring, keeper: Member, clock: FixedClock
) -> None:
    async with app.transaction(keeper) as session:
        agency_id = await founding.found(session, keeper, house())
        first = await founding.appoint(session, keeper, agency_id, login(), "Ada", now=clock.now())
        second = await founding.appoint(session, keeper, agency_id, login(), "Bo", now=clock.now())
    secret = pyotp.random_base32()
    chosen = Chosen("a sentence that I remember", secret, pyotp.TOTP(secret).at(clock.now()))
    with pytest.raises(invitations.InvitationRefused):
        await invitations.accept(app, first, chosen, keyring=keyring, now=clock.now())  # the second one ended it
    await invitations.accept(app, second, chosen, keyring=keyring, now=clock.now())
    with pytest.raises(AgencyHasBegun):
        async with app.transaction(keeper) as session:
            await founding.appoint(session, keeper, agency_id, login(), "Eve", now=clock.now())
    async with app.transaction(keeper) as session:
        rows = await founding.network_agencies(session, keeper)
        (new,) = [row for row in rows if row.id == agency_id]
        hidden = text("select count(*) from member where agency_id = :id")
        assert await session.scalar(hidden, {"id": agency_id}) == 0  # who they are is not told
    assert (new.members, new.admins, new.has_begun, new.active) == (2, 2, True, True)


@pytest.mark.rule("A4")
async def test_whoever_keeps_the_network_gets_nobody_into_an_agency_that_has_begun(
    app: Database, owner: Database, keyring: Keyring, keeper: Member, clock: FixedClock
) -> None:
    theirs = (await make_member(owner, keyring, await make_agency(owner), (Role.COORDINATOR,))).actor.agency_id
    with pytest.raises(AgencyHasBegun):
        async with app.transaction(keeper) as session:
            await founding.appoint(session, keeper, theirs, login(), "Eve", now=clock.now())
    with pytest.raises(DBAPIError, match="row-level security"):
        async with app.transaction(keeper) as session:
            await session.execute(
                text("""insert into member (id, agency_id, login, display_name, roles)
                        values (gen_random_uuid(), :agency, :login, 'X', '{coordinator}')"""),
                {"agency": theirs, "login": login()},
            )


@pytest.mark.rule("A3")
async def test_an_agency_that_is_turned_off_is_out_at_once_and_comes_back_whole(
    app: Database, owner: Database, keyring: Keyring, keeper: Member
) -> None:
    theirs = (await make_member(owner, keyring, await make_agency(owner), (Role.COORDINATOR,))).actor
    for active in (False, True):
        async with app.transaction(keeper) as session:
            await founding.set_active(session, keeper, theirs.agency_id, active=active)
        async with app.transaction(theirs) as session:
            assert (await session.scalar(text("select acting_agency()")) is not None) is active
    with pytest.raises(OwnAgency):
        async with app.transaction(keeper) as session:
            await founding.set_active(session, keeper, keeper.agency_id, active=False)


@pytest.mark.rule("P3")
async def test_what_cannot_be_an_agency_is_told_by_its_field(
    app: Database, owner: Database, keeper: Member, clock: FixedClock
) -> None:
    async with app.transaction(keeper) as session:
        name = house().name
        agency_id = await founding.found(session, keeper, house(name))
        with pytest.raises(AgencyNameTaken):
            await founding.found(session, keeper, house(name))
        for wrong in (house(" "), house(None, "x")):
            with pytest.raises(InvalidInput):
                await founding.found(session, keeper, wrong)
        with pytest.raises(InvalidInput):
            await founding.appoint(session, keeper, agency_id, "no address", "Ada", now=clock.now())
        taken = login()
        await founding.appoint(session, keeper, agency_id, taken, "Ada", now=clock.now())
        other = await founding.found(session, keeper, house())
        with pytest.raises(LoginTaken):
            await founding.appoint(session, keeper, other, taken, "Ada", now=clock.now())


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", [Role.AGENCY_ADMIN, Role.COORDINATOR, Role.AUDITOR])
async def test_nobody_else_keeps_the_network(
    app: Database, owner: Database, keyring: Keyring, clock: FixedClock, role: Role
) -> None:
    member = (await make_member(owner, keyring, await make_agency(owner), (role,))).actor
    with pytest.raises(NotPermitted):
        async with app.transaction(member) as session:
            await founding.network_agencies(session, member)
    async with app.transaction(member) as session:
        assert (await session.execute(text("select * from network_staff()"))).all() == []
        asked = text("select appoint_first_admin(:id, gen_random_uuid(), 'x@y', 'X', '', now(), now())")
        assert await session.scalar(asked, {"id": await make_agency(owner)}) is None
    with pytest.raises(DBAPIError, match="row-level security"):
        async with app.transaction(member) as session:
            await session.execute(
                text("""insert into agency (id, name, kind, regime, time_zone)
                        values (gen_random_uuid(), 'X', 'health', 'general', 'UTC')""")
            )
