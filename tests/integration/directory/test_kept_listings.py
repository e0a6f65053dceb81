"""What an agency has written itself outlasts the next import of its package, which says so (D6)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.capacity import confirm_capacity
from referralnet.directory.capacity_board import list_unit_counts
from referralnet.directory.import_lock import ImportRunning
from referralnet.directory.importing import ImportResult, import_package
from referralnet.directory.listing_change import CountedUnit, FrontDoor, ListingChange, OpenHours
from referralnet.directory.listings import follow_import
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound
from tests.factories.directory import EVENING, import_folder, write_shelter
from tests.factories.listings import ListingKeeper, change_listing, make_listing

LATER = EVENING + timedelta(hours=1)
SERVICE = {"id": "s1", "organization_id": "o1", "name": "Beds", "status": "active"}
HOURS = [{"id": "h1", "service_id": "s1", "freq": "WEEKLY", "byday": "SU", "opens_at": "08:00", "closes_at": "09:00"}]
OWN = ListingChange(
    description="Our own words.",
    schedules=(OpenHours(("MO",), "9:00", "17:00"),),
    languages=("es",),
    phone=FrontDoor("815 555 0199"),
    capacity=(CountedUnit("family room", 2, 4),),
)


async def import_again(
    owner: Database, kept: ListingKeeper, description: str, **changes: list[dict[str, str]]
) -> ImportResult:
    organization = [{"id": "o1", "name": kept.package, "description": "A house."}]
    services = [SERVICE | {"description": description, "application_process": "Knock."}]
    write_shelter(kept.folder, organizations=organization, services=services, schedules=HOURS, **changes)
    return await import_folder(owner, kept.folder, now=LATER)


async def stored(owner: Database, kept: ListingKeeper) -> dict[str, object]:
    statements = {
        "description": "select description from service where id = :id",
        "application_process": "select application_process from service where id = :id",
        "schedules": "select string_agg(byday, ' ') from schedule where service_id = :id and gone_at is null",
        "languages": "select string_agg(code, ' ') from language where service_id = :id and gone_at is null",
        "phone": "select string_agg(number, ' ') from phone where service_id = :id and gone_at is null",
        "capacity": """select string_agg(unit.name || ' ' || available, ', ') from service_capacity c
                         join unit on unit.id = c.unit_id where service_id = :id and c.gone_at is null""",
    }
    async with owner.transaction(Operator()) as session:
        values = {"id": kept.service_id}
        return {part: await session.scalar(text(statement), values) for part, statement in statements.items()}


def told(result: ImportResult) -> set[str]:
    return {row.column for row in result.problems.rows if "kept as its agency wrote it" in row.message}


@pytest.mark.rule("D6")
async def test_an_import_brings_what_is_not_the_agencys_own_and_reports_the_rest_as_kept(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Own Words")
    await change_listing(app, kept, OWN)
    mine = await stored(owner, kept)
    result = await import_again(owner, kept, "The package's words.")
    assert await stored(owner, kept) == mine | {"application_process": "Knock."}
    assert told(result) == {"description", "schedules", "languages", "phone", "capacity"}
    assert result.counts["schedule"].inserted == 0
    again = await import_again(owner, kept, "The package's words.")
    assert not again.changed


async def test_what_the_package_says_as_well_is_no_news(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Same Words")
    await change_listing(app, kept, ListingChange(description="Agreed."))
    assert told(await import_again(owner, kept, "Agreed.")) == set()


async def test_the_agency_may_compare_what_would_have_come(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Compared Words")
    await change_listing(app, kept, OWN)
    await import_again(owner, kept, "The package's words.")
    offered = text("select part, offered from listing_own where service_id = :id")
    async with app.transaction(kept.intake) as session:
        found = {row.part: row.offered for row in await session.execute(offered, {"id": kept.service_id})}
    assert (found["description"], found["schedules"], found["languages"]) == ("The package's words.", "1", "0")


async def test_a_part_that_is_given_back_follows_the_next_import(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Given Words")
    await change_listing(app, kept, OWN)
    async with app.transaction(kept.admin) as session:
        parts = frozenset({"description", "schedules"})
        await follow_import(session, kept.admin, kept.service_id, parts, now=LATER)
    result = await import_again(owner, kept, "The package's words.")
    now = await stored(owner, kept)
    assert (now["description"], now["schedules"], now["languages"]) == ("The package's words.", "SU", "es")
    assert told(result) == {"languages", "phone", "capacity"}


async def test_only_its_own_agency_gives_a_part_back(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Firm Words")
    other = await make_listing(owner, keyring, tmp_path, "Greedy Words")
    with pytest.raises(NotFound):
        async with app.transaction(other.admin) as session:
            await follow_import(session, other.admin, kept.service_id, frozenset({"name"}), now=LATER)
    with pytest.raises(InvalidInput):
        async with app.transaction(kept.admin) as session:
            await follow_import(session, kept.admin, kept.service_id, frozenset({"colour"}), now=LATER)


@pytest.mark.rule("D6")
async def test_what_an_agency_writes_while_an_import_is_at_work_is_refused_and_not_overwritten(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Meanwhile")
    await change_listing(app, kept, ListingChange(capacity=OWN.capacity))
    organization = [{"id": "o1", "name": kept.package, "description": "A house."}]
    write_shelter(kept.folder, organizations=organization, services=[SERVICE | {"description": "The package's words."}])
    async with owner.transaction(Operator()) as session:
        await import_package(session, kept.folder, now=LATER)
        with pytest.raises(ImportRunning):
            await change_listing(app, kept, OWN, version=1)
        with pytest.raises(ImportRunning):
            async with app.transaction(kept.admin) as asking:
                await follow_import(asking, kept.admin, kept.service_id, frozenset({"description"}), now=LATER)
        async with app.transaction(kept.intake) as counting:
            (count,) = await list_unit_counts(counting, now=LATER)
            await confirm_capacity(counting, kept.intake, count.capacity_id, 1, now=LATER)
    await change_listing(app, kept, OWN, version=1)
    assert (await stored(owner, kept))["description"] == "Our own words."
