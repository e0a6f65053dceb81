"""Search finds what was asked for, ranks it as the policy says, and never calls a stale bed available (D5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.directory.entry_rows import load_entry_for_referral
from referralnet.directory.places import UnknownZip
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.errors import InvalidInput
from tests.factories.directory import EVENING, Keeper

TONIGHT = DirectoryQuery(
    categories=("emergency_shelter",),
    languages=("es",),
    takes_children=True,
    available_tonight=True,
    zip_code="60601",
    within_kilometers=30,
)


async def find(app: Database, member: Member, query: DirectoryQuery, now: datetime = EVENING) -> list[DirectoryHit]:
    async with app.transaction(member) as session:
        return await search(session, query, now=now)


async def test_a_bed_tonight_for_a_mother_who_speaks_spanish(app: Database, stranger: Member) -> None:
    hits = await find(app, stranger, TONIGHT)
    names = [hit.organization_name for hit in hits]
    assert {"Lantern House", "Casa Madreselva", "Sparrow & Oak Housing"} <= set(names[:3])
    assert any(hit.confidential for hit in hits[:3])
    for hit in hits[:3]:
        assert hit.capacity is not None
        assert hit.capacity.unit == "family room"
        assert (hit.capacity.available or 0) > 0
        assert {"open_units_confirmed", "speaks_language", "takes_children"} <= set(hit.reasons_for)
    assert "North Prairie Refuge" not in names
    assert "Westbound Station Shelter" not in names  # adults only


async def test_the_same_question_typed_as_words_gives_the_same_first_hits(app: Database, stranger: Member) -> None:
    typed = DirectoryQuery(words="shelter tonight Spanish child", zip_code="60601", within_kilometers=30)
    asked = await find(app, stranger, TONIGHT)
    hits = await find(app, stranger, typed)
    assert {hit.service_name for hit in hits[:3]} == {hit.service_name for hit in asked[:3]}


@pytest.mark.rule("D5")
async def test_a_stale_count_is_never_shown_as_available_and_ranks_below_a_confirmed_one(
    app: Database, stranger: Member
) -> None:
    anywhere = DirectoryQuery(categories=("emergency_shelter",), available_tonight=True)
    hits = await find(app, stranger, anywhere)
    stale = next(hit for hit in hits if hit.organization_name == "Harbor of Saint Amity")
    assert stale.capacity is not None
    assert (stale.capacity.state, stale.capacity.available) == ("unconfirmed", None)
    assert "capacity_unconfirmed" in stale.reasons_against
    open_tonight = [at for at, hit in enumerate(hits) if "open_units_confirmed" in hit.reasons_for]
    assert open_tonight
    assert max(open_tonight) < hits.index(stale)


@pytest.mark.rule("D5")
@pytest.mark.parametrize("now", [EVENING + timedelta(hours=30), datetime(2026, 3, 2, tzinfo=UTC)])
async def test_a_count_of_yesterday_or_of_the_future_confirms_nothing(
    app: Database, stranger: Member, now: datetime
) -> None:
    hits = await find(app, stranger, TONIGHT, now)
    assert hits
    assert all("open_units_confirmed" not in hit.reasons_for for hit in hits)
    assert all(hit.capacity is None or hit.capacity.available is None for hit in hits)


async def test_a_kind_stands_for_those_below_it(app: Database, stranger: Member) -> None:
    below = await find(app, stranger, DirectoryQuery(categories=("t_visa",)))
    above = await find(app, stranger, DirectoryQuery(categories=("legal",), first=100))
    assert below
    assert {hit.service_name for hit in below} < {hit.service_name for hit in above}


@pytest.mark.parametrize(
    ("words", "service"),
    [
        ("interpreting Haitian Creole", "On-Site Interpreters, Central Illinois"),
        ("antecedentes", "Vacatur for Survivors"),
        ("carpentry", "Paid Apprenticeship"),
        ("Reubicaciones", "Relocation Tickets"),
        ("dentures", "Dental Repair After Violence"),
        ("clinic", "Clean Record Clinic"),
        ("clinic", "A Doctor to Come Back To"),
    ],
)
async def test_words_are_found_by_stem_in_english_and_in_spanish(
    app: Database, stranger: Member, words: str, service: str
) -> None:
    hits = await find(app, stranger, DirectoryQuery(words=words))
    assert service in [hit.service_name for hit in hits]


async def test_words_nobody_uses_find_nothing(app: Database, stranger: Member) -> None:
    assert await find(app, stranger, DirectoryQuery(words="zeppelin")) == []


async def test_a_public_place_is_found_by_its_distance_and_none_lies_beyond(app: Database, stranger: Member) -> None:
    query = DirectoryQuery(zip_code="61101", within_kilometers=20, first=100)
    hits = await find(app, stranger, query)
    distances = [hit.distance_kilometers for hit in hits if hit.distance_kilometers is not None]
    assert distances
    assert max(distances) <= 20
    assert all(hit.address is not None for hit in hits if hit.distance_kilometers is not None)
    covering = [hit for hit in hits if hit.distance_kilometers is None]
    assert {"North Prairie Refuge", "Night Desk Listening Line"} <= {hit.organization_name for hit in covering}


async def test_pages_follow_one_another_without_gap_or_repetition(app: Database, stranger: Member) -> None:
    whole = await find(app, stranger, DirectoryQuery(first=100))
    paged: list[DirectoryHit] = []
    while page := await find(app, stranger, DirectoryQuery(first=7, after=paged[-1].position if paged else None)):
        paged += page
    assert len(whole) == 58
    assert [hit.service_at_location_id for hit in paged] == [hit.service_at_location_id for hit in whole]


async def test_an_age_leaves_out_services_for_others(app: Database, stranger: Member) -> None:
    beds = ("emergency_shelter",)
    young = {hit.service_name for hit in await find(app, stranger, DirectoryQuery(categories=beds, age=15))}
    grown = {hit.service_name for hit in await find(app, stranger, DirectoryQuery(categories=beds, age=40))}
    assert "Juniper Night Rooms" in young - grown
    assert "Two Rivers Beds" in grown - young


async def test_a_language_that_is_not_spoken_is_a_reason_against(app: Database, stranger: Member) -> None:
    hits = await find(app, stranger, DirectoryQuery(categories=("forensic_exam",), languages=("es",)))
    by_name = {hit.organization_name: hit for hit in hits}
    assert "speaks_language" in by_name["Lakeshore Forensic Nursing"].reasons_for
    assert "language_not_spoken" in by_name["Capital Care Nurse Team"].reasons_against
    assert hits[-1].organization_name == "Capital Care Nurse Team"


async def test_a_member_of_the_network_is_told_as_one(app: Database, stranger: Member, keeper: Keeper) -> None:
    hits = await find(app, stranger, DirectoryQuery(words="Lantern House"))
    shelter = next(hit for hit in hits if hit.organization_name == "Lantern House")
    assert shelter.agency_id == keeper.agency_id
    assert "network_member" in shelter.reasons_for
    async with app.transaction(stranger) as session:
        entry = await load_entry_for_referral(session, shelter.service_at_location_id)
    assert entry is not None
    assert entry.target_agency_id == keeper.agency_id
    assert "shelter_and_housing" in entry.categories
    assert entry.service_name == shelter.service_name


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (DirectoryQuery(first=0), "first"),
        (DirectoryQuery(first=101), "first"),
        (DirectoryQuery(within_kilometers=10), "zip_code"),
        (DirectoryQuery(zip_code="60601", within_kilometers=501), "within_kilometers"),
        (DirectoryQuery(zip_code="60601", within_kilometers=0), "within_kilometers"),
        (DirectoryQuery(zip_code="00000"), "zip_code"),
    ],
)
@pytest.mark.rule("P3")
async def test_a_bound_that_is_passed_is_named(
    app: Database, stranger: Member, query: DirectoryQuery, field: str
) -> None:
    with pytest.raises((InvalidInput, UnknownZip)) as refused:
        await find(app, stranger, query)
    assert refused.value.field == field


@pytest.mark.parametrize("words", ["' or true --", "a & | !", '"unclosed', "%_\\", "-shelter", ":*"])
async def test_words_with_signs_are_words(app: Database, stranger: Member, words: str) -> None:
    assert isinstance(await find(app, stranger, DirectoryQuery(words=words)), list)


async def test_an_address_of_which_only_the_city_is_known_is_told(
    app: Database, owner: Database, stranger: Member
) -> None:
    query = DirectoryQuery(zip_code="61101", within_kilometers=20)
    known = next(hit for hit in await find(app, stranger, query) if hit.address is not None)
    async with owner.transaction(Operator()) as session:
        bare = text("update address set address_1 = null, postal_code = null where address_1 = :street returning id")
        assert known.address is not None
        await session.execute(bare, {"street": known.address.address_1})
    told = next(
        hit for hit in await find(app, stranger, query) if hit.service_at_location_id == known.service_at_location_id
    )
    assert told.address is not None
    assert (told.address.address_1, told.address.city) == (None, known.address.city)
