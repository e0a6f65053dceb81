"""An agency keeps its own listing, nobody else's, and search sees the change at once."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Member, Nobody, Operator
from referralnet.database.transactions import Database
from referralnet.directory.entries import rebuild_entries
from referralnet.directory.entry_names import rewrite_names
from referralnet.directory.hidden_places import TellsHiddenPlace
from referralnet.directory.listing_change import CountedUnit, FrontDoor, ListingChange, OpenHours
from referralnet.directory.listings import ListingChanged
from referralnet.directory.search import DirectoryQuery, search
from referralnet.directory.suggesting import suggest_names
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from tests.factories.directory import EVENING, make_stranger
from tests.factories.listings import ListingKeeper, change_listing, make_listing

WHOLE = ListingChange(
    name="Rooms at the mill race",
    description="Rooms with a zither in each.",
    eligibility_description="Everybody who needs one.",
    application_process="Call the front door.",
    schedules=(OpenHours(("TU", "MO"), "9:00", "17:00"), OpenHours(("SA",), "10:00", "12:00")),
    languages=("es", "uk"),
    phone=FrontDoor("815 555 0199"),
    capacity=(CountedUnit("Bed", 3, 6), CountedUnit("family room", 1)),
)

MORNING = OpenHours(("MO",), "9:00", "10:00")


async def find(app: Database, member: Member, words: str) -> list[str]:
    async with app.transaction(member) as session:
        return [hit.service_name for hit in await search(session, DirectoryQuery(words=words), now=EVENING)]


async def rows(database: Database, statement: str, **values: object) -> list[tuple[object, ...]]:
    async with database.transaction(Operator()) as session:
        return [tuple(row) for row in await session.execute(text(statement), values)]


async def test_a_whole_listing_is_changed_in_one_go_and_found_at_once(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Whole House")
    stranger = await make_stranger(owner, keyring)
    assert await find(app, stranger, "zither") == []
    await change_listing(app, kept, WHOLE)
    async with app.transaction(stranger) as session:
        (hit,) = await search(session, DirectoryQuery(words="zither"), now=EVENING)
    assert (hit.service_name, hit.phone) == ("Rooms at the mill race", "+1 815-555-0199")
    assert set(hit.languages) == {"es", "uk"}
    assert hit.application_process == "Call the front door."
    assert hit.capacity is not None
    assert hit.capacity.state == "fresh"
    assert (hit.capacity.unit, hit.capacity.available) in {("bed", 3), ("family room", 1)}
    stated = "select byday, opens_at, closes_at from schedule where service_id = :id and gone_at is null order by byday"
    assert await rows(owner, stated, id=kept.service_id) == [("MO,TU", "09:00", "17:00"), ("SA", "10:00", "12:00")]


async def test_search_rows_are_what_an_import_would_have_made(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Same House")
    await change_listing(app, kept, WHOLE)
    async with owner.transaction(Operator()) as session:
        assert await rebuild_entries(session, kept.package) == 0


async def test_what_is_typed_is_completed_by_the_new_name_at_once_and_by_the_old_one_no_more(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Renamed House")
    other = await make_stranger(owner, keyring)

    async def completed(typed: str) -> list[tuple[str, object]]:
        async with app.transaction(other) as session:
            return [(found.name, found.id) for found in await suggest_names(session, typed, kinds=("service",))]

    await change_listing(app, kept, ListingChange(name="Quokka rooms"))
    assert await completed("quok") == [("Quokka rooms", kept.service_id)]
    await change_listing(app, kept, ListingChange(name="Wombat rooms"), version=1)
    assert (await completed("quokka"), await completed("womb")) == ([], [("Wombat rooms", kept.service_id)])
    await change_listing(app, kept, ListingChange(status="inactive"), version=2)
    assert await completed("wombat") == []
    await change_listing(app, kept, ListingChange(status="active"), version=3)
    names = (
        "select kind, folded, language, name, code, target_id, uses from directory_name where package = :p order by 2"
    )
    words = "select word, uses from directory_word where package = :p order by 1"
    at_once = [await rows(owner, table, p=kept.package) for table in (names, words)]
    async with owner.transaction(Operator()) as session:
        await rewrite_names(session, kept.package)
    assert [await rows(owner, table, p=kept.package) for table in (names, words)] == at_once


async def test_an_inactive_listing_is_found_no_more_and_an_active_one_again(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Winter House")
    await change_listing(app, kept, ListingChange(name="Snowdrop beds", status="inactive"))
    assert await find(app, kept.intake, "snowdrop") == []
    await change_listing(app, kept, ListingChange(status="active"), version=1)
    assert await find(app, kept.intake, "snowdrop") == ["Snowdrop beds"]


async def test_a_change_says_when_it_was_assured_and_by_whom(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Assured House")
    await change_listing(app, kept, ListingChange(description="True today."))
    its_day = date(2026, 11, 23)  # where the agency is; by UTC it is the next
    told = "select assured_date, assurer_email, last_modified from service where id = :id"
    assert await rows(owner, told, id=kept.service_id) == [(its_day, "hello@house.example.org", EVENING)]
    await change_listing(app, kept, ListingChange(name="Beds", assurer_email="desk@house.example.org"), version=1)
    assert (await rows(owner, told, id=kept.service_id))[0][1] == "desk@house.example.org"


async def test_history_tells_each_changed_field_who_and_when(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "History House")
    await change_listing(app, kept, ListingChange(name="New beds", status="active", languages=("es",)))
    history = text("""
        select field_name, action, previous_value, replacement_value, member_id, changed_at
          from listing_change where service_id = :id order by field_name
    """)
    async with app.transaction(kept.intake) as session:
        told = [tuple(row) for row in await session.execute(history, {"id": kept.service_id})]
    who_and_when = (kept.admin.member_id, EVENING)
    assert told == [
        ("languages", "create", None, "es", *who_and_when),
        ("name", "update", "Beds", "New beds", *who_and_when),
    ]


async def test_others_read_the_history_as_hsds_metadata_without_the_person(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Metadata House")
    stranger = await make_stranger(owner, keyring)
    await change_listing(app, kept, ListingChange(name="Told beds"))
    async with app.transaction(stranger) as session:
        told = await session.execute(text("select * from metadata where resource_id = :id"), {"id": kept.service_id})
        (row,) = told.mappings()
        assert await session.scalar(text("select count(*) from listing_change")) == 0
    assert (row["field_name"], row["previous_value"], row["replacement_value"]) == ("name", "Beds", "Told beds")
    assert (row["updated_by"], row["last_action_date"]) == ("Metadata House", EVENING.date())
    assert str(kept.admin.member_id) not in str(dict(row))


async def test_of_two_people_who_edit_at_once_the_second_is_told(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Two Hands")
    changes = [ListingChange(description=f"By hand {hand}.") for hand in range(2)]
    results = await asyncio.gather(*(change_listing(app, kept, change) for change in changes), return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert [type(refusal) for refusal in refused] == [ListingChanged]
    (description,) = await rows(owner, "select description from service where id = :id", id=kept.service_id)
    assert description[0] == changes[0 if results[0] == kept.service_id else 1].description
    assert await rows(owner, "select version from listing where service_id = :id", id=kept.service_id) == [(1,)]


async def test_the_same_change_again_writes_no_history(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Calm House")
    await change_listing(app, kept, WHOLE)
    counted = "select count(*) from listing_change where service_id = :id"
    before = await rows(owner, counted, id=kept.service_id)
    await change_listing(app, kept, WHOLE, version=1)
    assert await rows(owner, counted, id=kept.service_id) == before
    assert before != [(0,)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (ListingChange(), "change"),
        (ListingChange(name="  "), "name"),
        (ListingChange(name="x" * 201), "name"),
        (ListingChange(description="bell \x07"), "description"),
        (ListingChange(status="open"), "status"),
        (ListingChange(name="a", assurer_email="nobody"), "assurer_email"),
        (ListingChange(schedules=(OpenHours(("MO",), "9", "17:00"),)), "schedules.0"),
        (
            ListingChange(schedules=(OpenHours(("MO",), "9:00", "10:00"), OpenHours(("XX",), "9:00", "9:30"))),
            "schedules.1",
        ),
        (ListingChange(languages=("es", "klingonese")), "languages.1"),
        (ListingChange(phone=FrontDoor("12")), "phone"),
        (ListingChange(phone=FrontDoor("815 555 0199", "ask Ana")), "phone"),
        (ListingChange(capacity=(CountedUnit("hammock", 1),)), "capacity.0"),
        (ListingChange(capacity=(CountedUnit("bed", 7, 6),)), "capacity.0"),
        (ListingChange(capacity=(CountedUnit("bed", -1),)), "capacity.0"),
        (ListingChange(capacity=(CountedUnit("bed", 1), CountedUnit("Bed", 2))), "capacity"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_by_its_field(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path, change: ListingChange, field: str
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, f"Refusing {tmp_path.name}")
    with pytest.raises(InvalidInput) as refused:
        await change_listing(app, kept, change)
    assert refused.value.field == field


@pytest.mark.rule("A1")
async def test_intake_keeps_the_count_and_not_the_words(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Roles House")
    await change_listing(app, kept, ListingChange(capacity=(CountedUnit("bed", 1),)), actor=kept.intake)
    with pytest.raises(NotPermitted):
        await change_listing(app, kept, ListingChange(name="Mine"), version=1, actor=kept.intake)


@pytest.mark.rule("A1")
async def test_another_agencys_admin_learns_of_no_such_listing(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Our House")
    other = await make_listing(owner, keyring, tmp_path, "Their House")
    with pytest.raises(NotFound) as refused:
        await change_listing(app, kept, ListingChange(name="Taken over"), actor=other.admin)
    assert refused.value.field == "service_id"


CHANGES_IN_SQL = [
    "update service set name = 'x' where id = :service",
    "update service_capacity set available = 9 where service_id = :service",
    "update schedule set gone_at = now() where service_id = :service",
    "update phone set gone_at = now() where package = :package",
]
INSERTS_IN_SQL = [
    """insert into schedule (id, package, source_id, service_id, byday)
       values (gen_random_uuid(), :package, 'own:x', :service, 'MO')""",
    """insert into language (id, package, source_id, service_id, code)
       values (gen_random_uuid(), :package, 'own:x', :service, 'es')""",
    """insert into phone (id, package, source_id, service_id, number)
       values (gen_random_uuid(), :package, 'own:x', :service, '+1 815-555-0100')""",
    "insert into listing (service_id, version, changed_at) values (:service, 0, now())",
    "insert into listing_own (service_id, part, since) values (:service, 'name', now())",
    """insert into listing_change (service_id, agency_id, member_id, changed_at, action, resource_type, resource_id,
           field_name) values (:service, :agency, :member, now(), 'update', 'service', :service, 'name')""",
    "select directory_keep_entries(:service, '[]')",
]


def _values(kept: ListingKeeper, actor: Member | None, statement: str) -> dict[str, object]:
    given = {
        "service": kept.service_id,
        "package": kept.package,
        "agency": actor.agency_id if actor else kept.agency_id,
        "member": actor.member_id if actor else kept.admin.member_id,
    }
    return {name: value for name, value in given.items() if f":{name}" in statement}


@pytest.mark.rule("A1")
@pytest.mark.rule("A2")
@pytest.mark.parametrize("who", ["another agency's admin", "nobody"])
async def test_whoever_speaks_sql_changes_no_listing_but_their_own(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path, who: str
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, f"Guarded from {who}")
    other = (await make_listing(owner, keyring, tmp_path, f"Elsewhere of {who}")).admin
    actor = None if who == "nobody" else other
    for statement in CHANGES_IN_SQL:
        async with app.transaction(actor or Nobody()) as session:
            changed = await session.execute(text(f"{statement} returning id"), _values(kept, actor, statement))
            assert changed.all() == [], statement
    for statement in INSERTS_IN_SQL:
        with pytest.raises(DBAPIError, match=r"row-level security|another agency keeps"):
            async with app.transaction(actor or Nobody()) as session:
                await session.execute(text(statement), _values(kept, actor, statement))


@pytest.mark.rule("D1")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        (ListingChange(description="Ring at 17  MILLRACE lane, at the back."), "description"),
        (ListingChange(name="Beds near 61104"), "name"),
        (ListingChange(application_process="Call (815) 555-0171 at night"), "application_process"),
        (ListingChange(phone=FrontDoor("815.555.0171")), "phone"),
    ],
)
async def test_a_listing_cannot_tell_where_its_hidden_house_is(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path, change: ListingChange, field: str
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, f"Hidden {field}")
    with pytest.raises(TellsHiddenPlace) as refused:
        await change_listing(app, kept, change)
    assert refused.value.field == field
    assert "illrace" not in refused.value.message


@pytest.mark.rule("D1")
async def test_a_places_own_rows_are_not_a_listings_to_change(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Placed House")
    await change_listing(app, kept, ListingChange(phone=FrontDoor("815 555 0199")))
    async with app.transaction(kept.admin) as session:
        ended = await session.execute(
            text("update phone set gone_at = now() where location_id is not null and package = :p returning id"),
            {"p": kept.package},
        )
        assert ended.all() == []
    house = "select gone_at from phone where package = :p and confidential"
    assert await rows(owner, house, p=kept.package) == [(None,)]


@pytest.mark.rule("D1")
@pytest.mark.rule("D2")
async def test_an_agency_cannot_forge_a_point_into_search(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Forged House")
    entry = "select to_jsonb(e) - 'standing' from directory_listing e where service_id = :id"
    async with app.transaction(kept.admin) as session:
        made = await session.scalar(text(entry), {"id": kept.service_id})
    forged = made | {"confidential": False, "latitude": 42.27, "longitude": -89.09}
    statement = text("select directory_keep_entries(:id, jsonb_build_array(cast(:made as jsonb)))")
    with pytest.raises(DBAPIError, match="confidential_has_no_point"):
        async with app.transaction(kept.admin) as session:
            await session.execute(statement, {"id": kept.service_id, "made": orjson.dumps(forged).decode()})


@pytest.mark.rule("D5")
async def test_a_count_of_a_change_is_fresh_and_a_day_later_is_not(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Counting House")
    await change_listing(app, kept, ListingChange(name="Xylophone beds", capacity=(CountedUnit("bed", 2),)))
    for later, state in ((timedelta(hours=24), "fresh"), (timedelta(hours=24, seconds=1), "unconfirmed")):
        async with app.transaction(kept.intake) as session:
            (hit,) = await search(session, DirectoryQuery(words="xylophone"), now=EVENING + later)
        assert hit.capacity is not None
        assert hit.capacity.state == state
        assert hit.capacity.available == (2 if state == "fresh" else None)


async def test_a_unit_in_somebodys_hands_cannot_be_left_out(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Holding House")
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("update service_capacity set held = 1 where service_id = :id"), {"id": kept.service_id}
        )
    with pytest.raises(InvalidInput) as refused:
        await change_listing(app, kept, ListingChange(capacity=()))
    assert refused.value.field == "capacity"


async def test_a_refused_change_leaves_nothing_behind(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    kept = await make_listing(owner, keyring, tmp_path, "Clean House")
    with pytest.raises(TellsHiddenPlace):
        await change_listing(app, kept, ListingChange(name="Fine", description="At 17 Millrace Lane"))
    assert await rows(owner, "select name from service where id = :id", id=kept.service_id) == [("Beds",)]
    assert await rows(owner, "select 1 from listing where service_id = :id", id=kept.service_id) == []


@pytest.mark.rule("D1")
async def test_a_text_that_told_the_house_is_shown_again_once_its_agency_has_mended_it(
    owner: Database, app: Database, keyring: Keyring, tmp_path: Path
) -> None:
    telling = {"id": "s1", "organization_id": "o1", "name": "Beds by the ford", "status": "active"}
    telling |= {"description": "Knock at 17  Millrace Lane.", "application_process": "Call."}
    kept = await make_listing(owner, keyring, tmp_path, "Mended House", services=[telling])
    stranger = await make_stranger(owner, keyring)

    async def shown() -> tuple[str | None, str | None]:
        async with app.transaction(stranger) as session:
            (hit,) = await search(session, DirectoryQuery(words="ford"), now=EVENING)
        return hit.description, hit.application_process

    assert await shown() == (None, None)
    await change_listing(app, kept, ListingChange(description="Beds with a view."))
    assert await shown() == ("Beds with a view.", "Call.")
