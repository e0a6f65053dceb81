"""The worked operations of schema/operations do what they say, one after another, in the example network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from referralnet.api.endpoint import find_actor
from referralnet.cli.example import AGENCIES
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.measures import FATES
from referralnet.referrals.quarters import quarters_over
from referralnet.referrals.sending import Case, draft_referral
from tests.contract.running import OPERATIONS, Program, open_program

COORDINATOR, INTAKE, NETWORK_ADMIN = "dana@lakeside.example", "rosa@lantern.example", "noor@network.example"
COLLEAGUE = "theo@lakeside.example"
AUDITOR = "saul@network.example"
SECOND_COORDINATOR, AGENCY_ADMIN = "june@lantern.example", INTAKE
SENT = f"{COORDINATOR} 01 02 03 04 05 06"

# By tests of their own, or to sign in.
RUN_APART = {"205", "50", "51", "52", "131", "132", "133"}

# Who runs what, in order; what one answer gives, the next operations take.
STORIES = {
    "a bed, a visit, an end": f"{SENT} 20 {INTAKE} 40 41 07 08 09 10 11 12 13 {COORDINATOR} 11 143 144 23 24 25",
    "the wording looked at": f"{COORDINATOR} 141 142",
    "a waiting list, then no": f"{SENT} {INTAKE} 30 31 {COORDINATOR} 21 22",
    "a visit moved, cancelled, missed": f"{SENT} {INTAKE} 08 10 32 33 32 34 13",
    "one release taken back": f"{SENT} 25 26",
    "all consent withdrawn": f"{SENT} {INTAKE} 08 {COORDINATOR} 14",
    "shown, signed, renewed, narrowed": (
        f"{COORDINATOR} 01 02 04 80 81 82 06 {INTAKE} 08 {COORDINATOR} 86 81 87 {INTAKE} 09"
    ),
    "told anew": f"{SENT} {INTAKE} 08 {COORDINATOR} 64 89 90 {INTAKE} 09 {COORDINATOR} 125",
    "shown and declined": f"{COORDINATOR} 01 02 80 83 84 117 85",
    "a release by mistake": f"{COORDINATOR} 01 02 80 81 88",
    "taken back unanswered": f"{SENT} 27",
    "taken back after all": f"{SENT} {INTAKE} 08 {COORDINATOR} 27 {INTAKE} 35",
    "never meant": f"{SENT} 28",
    "beds counted": f"{INTAKE} 01 36",
    "a record kept": f"{COORDINATOR} 02 61 60 65 66 67 68 69 70 64 24 71 03 72",
    "who may sign for her": f"{COORDINATOR} 02 121 122 24 123 124 71",
    "a need kept": f"{COORDINATOR} 02 04 73 74 75",
    "reminders as the agency wants them": f"{INTAKE} 145 146 145",
    "her own words": f"{COORDINATOR} 02 147",
    "two records of one person": f"{COORDINATOR} 02 02 23 62 63 23",
    "matched before it is sent": f"{COORDINATOR} 02 04 15",
    "one after another": f"{COORDINATOR} 01 100 02 04 05 101 104 106 107 108 {INTAKE} 30 {COORDINATOR} 109 105",
    "another order, then closed": f"{COORDINATOR} 01 100 02 04 05 101 110 111 112",
    "a worklist worked off, and told of": f"{SENT} {INTAKE} 129 30 130 31 {COORDINATOR} 119 40 21 120",
    "all at once, told afterwards": f"{COORDINATOR} 01 100 02 04 102 {INTAKE} 08 {COORDINATOR} 05 103 {INTAKE} 09",
    "between the two, and referred on": (
        f"{SENT} {INTAKE} 08 40 113 114 {COORDINATOR} 114 115 {INTAKE} 116 {SECOND_COORDINATOR} 100 02 04 106 118"
    ),
    "systems of one's own are told": f"{INTAKE} 134 138 135 136 {SENT} {INTAKE} 08 139 140 137",
    "a colleague comes and goes": f"{INTAKE} 190 191 192 193 194 195 196",
    "an agency joins and leaves": f"{NETWORK_ADMIN} 197 198 199 200",
    "deadlines as the network wants them": f"{NETWORK_ADMIN} 209 210 209",
    "imports looked at, and one taken back": f"{NETWORK_ADMIN} 201 202 203 204",
    "a trail read and checked": f"{AUDITOR} 206 207 208 207",
    "a listing kept": f"{INTAKE} 37 38 39 42 43",
    "two records that may be one": f"{NETWORK_ADMIN} 44 45",
    "identity opened very often": f"{SECOND_COORDINATOR} 02 {'24 ' * 60}{AGENCY_ADMIN} 53 54",
    "erased": f"{SENT} {INTAKE} 08 {COORDINATOR} 55",
    "somebody kept away": f"{SENT} 46 47 48 56 48 57 {COLLEAGUE} 49",
    "a court compels": f"{COORDINATOR} 02 58 {COLLEAGUE} 49 {COORDINATOR} 59",
}


def steps(story: str) -> Iterator[tuple[str, str]]:
    """Who runs which operation."""
    login = ""
    for word in story.split():
        if "@" in word:
            login = word
        else:
            yield login, word


@pytest.fixture(scope="module")
async def program(
    owner: Database, app: Database, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    return await open_program(owner, app, keyring, tmp_path_factory.mktemp("another-directory"))


@pytest.fixture
async def nothing_held(owner: Database, program: Program) -> None:
    """Each story finds places where the example has them: an earlier one may have taken the last of a house."""
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update service_capacity set available = available + held, held = 0 where held > 0"))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.usefixtures("nothing_held")
async def test_it_can_be_run_as_it_stands(program: Program, story: str) -> None:
    program.known.clear()
    for login, key in steps(story):
        await program.run(key, await program.sign_in(login))
    await program.hear()


async def test_the_measures_are_those_of_a_quarter_that_is_over(program: Program) -> None:
    admin = await program.sign_in(AGENCY_ADMIN)
    quarter = quarters_over(datetime.now(UTC), 1)[0]
    told = await program.run("205", admin, year=quarter.year, quarter=quarter.number)
    assert told["measures"]["fates"]["all"] == {
        "code": "all", "total": 0, "counts": [{"code": fate, "count": 0} for fate in FATES],
    }  # fmt: skip


async def test_a_ride_that_the_service_leaves_to_the_sender_is_arranged(program: Program) -> None:
    """Not by a police unit, which learns nothing of visits: one shelter sends to another."""
    program.known.clear()
    sender, service = await program.sign_in(SECOND_COORDINATOR), await program.sign_in("ines@madreselva.example")
    await program.run("100", sender)
    program.known |= {
        "serviceAtLocationId": program.known["otherServiceAtLocationId"],
        "recipientAgencyId": program.known["otherAgencyId"],
    }
    for key in ("02", "04", "05", "06"):
        await program.run(key, sender)
    for key in ("08", "10", "131"):
        await program.run(key, service)
    await program.run("132", sender)


async def test_a_draft_that_an_import_brought_is_sent(program: Program) -> None:
    program.known.clear()
    token = await program.sign_in(COORDINATOR)
    for key in ("01", "02", "04", "05"):
        await program.run(key, token)
    actor = await find_actor(program.resources, token)
    assert actor is not None
    ids = {name: UUID(program.known[name]) for name in ("survivorId", "needId", "serviceAtLocationId")}
    async with program.resources.database.transaction(actor) as session:
        draft = await draft_referral(
            session,
            actor,
            Case(ids["survivorId"], ids["needId"], actor.member_id),
            ids["serviceAtLocationId"],
            None,
            keyring=program.resources.keyring,
            now=program.resources.clock.now(),
        )
    program.known["referralId"] = str(draft.referral_id)
    await program.run("133", token)


async def test_signing_out_is_the_end_of_a_token(program: Program) -> None:
    token = (await program.run("50", None))["signIn"]["token"]
    await program.run("52", token)
    assert await find_actor(program.resources, token) is None


def test_no_operation_is_left_out() -> None:
    run = {key for story in STORIES.values() for _, key in steps(story)} | RUN_APART
    assert run == {key.partition("_")[0] for key in OPERATIONS}


def test_each_is_run_by_somebody_it_is_for() -> None:
    roles = {person.login: {role.value for role in person.roles} for agency in AGENCIES for person in agency.people}
    by_number = {key.partition("_")[0]: operation for key, operation in OPERATIONS.items()}
    for story in STORIES.values():
        for login, key in steps(story):
            assert by_number[key].who & (roles[login] | {"everybody"}), (login, key)
