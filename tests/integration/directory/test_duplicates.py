"""Records of two packages that look like one are proposed, decided once, and never merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.duplicate_decisions import DuplicateDecided, decide_duplicate
from referralnet.directory.duplicate_policy import NAME_POINTS, PROPOSED_FROM, SIGN_POINTS
from referralnet.directory.duplicates import Duplicate, find_duplicates, list_duplicates
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted
from tests.factories.directory import EVENING, import_folder, make_keeper, make_stranger, write_shelter
from tests.factories.identity import make_agency, make_member

CLINIC = {"id": "o1", "name": "Harbor Light Clinic", "website": "https://www.harbor.example.org/"}
TWIN = {"id": "o9", "name": "The Harbour Light Clinic, Inc.", "website": "http://harbor.example.org"}
DOOR = {"organization_id": "o1", "location_id": "", "number": "815-555-0144"}


@pytest_asyncio.fixture(scope="module")
async def found(owner: Database, tmp_path_factory: pytest.TempPathFactory) -> list[Duplicate]:
    """Two packages that share a clinic, a hidden house with the same street, and a kind of service."""
    folder: Path = tmp_path_factory.mktemp("packages")
    await import_folder(owner, write_shelter(folder / "one", organizations=[CLINIC], phones=[DOOR | {"id": "p1"}]))
    service = {"id": "s1", "organization_id": "o9", "name": "Beds", "description": "", "status": "active"}
    location = {"id": "l1", "organization_id": "o9", "location_type": "physical", "name": "The house at the mill"}
    phone = {"id": "p1", "organization_id": "o9", "location_id": "", "number": "+1 (815) 555 0144"}
    two = write_shelter(folder / "two", organizations=[TWIN], services=[service], locations=[location], phones=[phone])
    await import_folder(owner, two)
    third = [{"id": "o1", "name": "Prairie Kitchen"}]
    await import_folder(owner, write_shelter(folder / "three", organizations=third, phones=[]))
    async with owner.transaction(Operator()) as session:
        await find_duplicates(session, now=EVENING)
        return await list_duplicates(session)


@pytest_asyncio.fixture(scope="module")
async def network_admin(owner: Database, keyring: Keyring) -> Member:
    return (await make_member(owner, keyring, await make_agency(owner), [Role.NETWORK_ADMIN])).actor


async def listed(app: Database, actor: Member) -> list[Duplicate]:
    async with app.transaction(actor) as session:
        return await list_duplicates(session)


async def test_two_packages_clinic_is_proposed_with_its_reasons(found: list[Duplicate]) -> None:
    (pair,) = found
    assert {pair.first_name, pair.second_name} == {CLINIC["name"], TWIN["name"]}
    assert {pair.first_package, pair.second_package} == {"one", "two"}
    assert pair.kind == "organization"
    assert pair.reasons == ("similar_name", "same_phone", "same_url")
    assert PROPOSED_FROM <= pair.score <= 100


@pytest.mark.rule("D1")
async def test_hidden_houses_at_one_street_are_never_compared(owner: Database, found: list[Duplicate]) -> None:
    async with owner.transaction(Operator()) as session:
        streets = await session.scalars(text("select distinct address_1 from address where confidential"))
        assert list(streets) == ["17 Millrace Lane"]
    assert not [pair for pair in found if pair.kind != "organization" or "same_address" in pair.reasons]
    assert "illrace" not in str(found)
    assert "mill" not in str(found)


async def test_a_common_name_of_a_service_is_no_sign(found: list[Duplicate]) -> None:
    assert not [pair for pair in found if pair.kind == "service"]
    assert NAME_POINTS["service"] < PROPOSED_FROM
    assert all(points < PROPOSED_FROM for points in SIGN_POINTS.values())


async def test_nothing_is_merged(owner: Database, found: list[Duplicate]) -> None:
    async with owner.transaction(Operator()) as session:
        names = await session.scalars(text("select name from organization where gone_at is null order by name"))
        assert list(names) == [CLINIC["name"], "Prairie Kitchen", TWIN["name"]]


async def test_only_admins_see_pairs_and_an_agency_its_own(
    owner: Database, app: Database, keyring: Keyring, found: list[Duplicate], network_admin: Member
) -> None:
    assert await listed(app, network_admin) == found
    assert await listed(app, await make_stranger(owner, keyring)) == []
    kitchen = await make_keeper(owner, keyring, "Prairie Kitchen")
    elsewhere = await make_member(owner, keyring, kitchen.agency_id, [Role.AGENCY_ADMIN])
    assert await listed(app, elsewhere.actor) == []
    clinic = await make_keeper(owner, keyring, CLINIC["name"])
    own = await make_member(owner, keyring, clinic.agency_id, [Role.AGENCY_ADMIN])
    assert await listed(app, own.actor) == found
    pair = found[0]
    with pytest.raises(NotFound):
        async with app.transaction(elsewhere.actor) as session:
            await decide_duplicate(session, elsewhere.actor, pair.first_id, pair.second_id, same=True, now=EVENING)
    with pytest.raises(NotPermitted):
        async with app.transaction(clinic.intake) as session:
            await decide_duplicate(session, clinic.intake, pair.first_id, pair.second_id, same=True, now=EVENING)


async def test_what_was_decided_is_not_asked_again(
    owner: Database, app: Database, found: list[Duplicate], network_admin: Member
) -> None:
    pair = found[0]
    async with app.transaction(network_admin) as session:
        await decide_duplicate(session, network_admin, pair.second_id, pair.first_id, same=False, now=EVENING)
    assert await listed(app, network_admin) == []
    with pytest.raises(DuplicateDecided):
        async with app.transaction(network_admin) as session:
            await decide_duplicate(session, network_admin, pair.first_id, pair.second_id, same=True, now=EVENING)
    async with owner.transaction(Operator()) as session:
        assert await find_duplicates(session, now=EVENING) == 0


@pytest.mark.rule("D1")
async def test_a_name_that_tells_a_hidden_street_is_withheld_from_who_decides(
    owner: Database, app: Database, network_admin: Member, tmp_path: Path
) -> None:
    for package in ("telling", "telling-too"):
        named = [{"id": "o1", "name": "Refuge at 17 Millrace Lane"}]
        await import_folder(owner, write_shelter(tmp_path / package, organizations=named))
    async with owner.transaction(Operator()) as session:
        await find_duplicates(session, now=EVENING)
    pairs = [pair for pair in await listed(app, network_admin) if pair.first_package.startswith("telling")]
    assert pairs
    assert {name for pair in pairs for name in (pair.first_name, pair.second_name)} == {"Name withheld"}
