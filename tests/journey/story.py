"""The journey of one referral, told once and walked from the checkout and from the wheel alike."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyotp

from tests.journey.network import Client, Network

PHONE = "+13125550142"
ZONES = (
    "America/Chicago", "America/Los_Angeles", "Pacific/Honolulu", "Pacific/Auckland", "Asia/Tokyo", "Asia/Kolkata",
    "Asia/Dubai", "Europe/Madrid", "Atlantic/Azores",
)  # fmt: skip
_TRAINED = str((datetime.now(UTC) + timedelta(days=300)).date())

SEARCH = """query($search: ServiceSearchInput!) { searchServices(search: $search, first: 5) { edges { node {
    id agencyId serviceName organizationName confidential area distanceKilometers phone address { address1 }
    capacity { id available } reasonsFor } } } }"""
REFERRAL = """__typename ... on Refused { code message field } ... on Referral {
    id status businessStatus holdsUnit sourceAgencyName need { serviceType householdSize }
    events { event byAgencyName } appointments { id startsAt status confirmedAt mode } }"""
RECORD = """mutation($key: String!, $survivor: SurvivorInput!) {
    recordSurvivor(idempotencyKey: $key, survivor: $survivor) { ... on Done { id } } }"""
PLAN = """mutation($key: String!, $id: UUID!, $plan: ContactPlanInput!) {
    keepContactPlan(idempotencyKey: $key, survivorId: $id, plan: $plan) { __typename ... on Refused { message } } }"""
NEED = """mutation($key: String!, $id: UUID!, $need: NeedInput!) {
    recordNeed(idempotencyKey: $key, survivorId: $id, need: $need) { ... on Done { id } } }"""
RELEASE = """mutation($key: String!, $id: UUID!, $release: ReleaseInput!) {
    recordRelease(idempotencyKey: $key, survivorId: $id, release: $release) {
        __typename ... on Release { id isLive } ... on Refused { code message field } } }"""
SEND = f"""mutation($key: String!, $referral: SendReferralInput!) {{
    sendReferral(idempotencyKey: $key, referral: $referral) {{ {REFERRAL} }} }}"""
SHOW = f"query($id: UUID!) {{ referral(referralId: $id) {{ {REFERRAL.split('... on Referral {')[1]} }}"
DISCLOSURE = """query($id: UUID!) { disclosure(referralId: $id) { categories { category facts { name value } } } }"""
STILL_TRUE = """mutation($key: String!, $id: UUID!) {
    stillTrue(idempotencyKey: $key, capacityId: $id) { __typename } }"""
STEP_UP = """mutation($code: String!) { stepUp(code: $code) { __typename } }"""
VISIT = f"""mutation($key: String!, $id: UUID!, $visit: VisitInput!) {{
    scheduleVisit(idempotencyKey: $key, referralId: $id, visit: $visit) {{ {REFERRAL} }} }}"""
TEXTS = """query($id: UUID!) { texts(referralId: $id) { kind state errorCode } }"""
WITHDRAW = """mutation($key: String!, $id: UUID!) { withdrawConsent(idempotencyKey: $key, survivorId: $id, via: ORAL) {
    __typename ... on ConsentWithdrawn { releases { isLive endedVia } } } }"""


def step(name: str, extra: str = "") -> str:
    """A mutation on one referral with nothing but its id, and perhaps a coded argument."""
    return f"""mutation($key: String!, $id: UUID!) {{
        {name}(idempotencyKey: $key, referralId: $id{extra}) {{ {REFERRAL} }} }}"""


async def until(what: str, look: Callable[[], Awaitable[Any]], seconds: float = 20.0) -> Any:
    """What `look` finds, as soon as it finds something."""
    try:
        async with asyncio.timeout(seconds):
            # What is waited for happens in another process: there is no event to await.
            while not (found := await look()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            return found
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s in vain for: {what}") from None


@dataclass
class Person:
    """A member at the API, and their authenticator."""

    client: Client
    totp: pyotp.TOTP

    async def step_up(self) -> None:
        answer = await self.client.do(STEP_UP, code=self.totp.now())
        assert answer["__typename"] == "SteppedUp", answer


def daytime_zone(now: datetime) -> str:
    """A zone where it is day, with hours to go before nine in the evening: texts go out at no other time (M2)."""
    return next(zone for zone in ZONES if 8 <= now.astimezone(ZoneInfo(zone)).hour < 18)


async def add_person(network: Network, login: str, agency: str, *roles: str) -> Person:
    """Add a member by the command line, and sign in."""
    chosen = [word for role in roles for word in ("--role", role)]
    printed = network.command(
        "member", "add", login, "--agency", agency, "--name", login, *chosen, "--trained-until", _TRAINED
    )
    password, secret = re.findall(r": (\S+)$", printed, re.MULTILINE)
    client = await Client(network.address).sign_in(login, password)
    return Person(client, pyotp.TOTP(secret))


async def import_directory(network: Network, checkout: Path) -> None:
    """The example directory, twice: the second time nothing changes. Then the real one, where it is at hand."""
    example = str(checkout / "providers" / "example")
    network.command("directory", "import", example)
    assert "nothing has changed" in network.command("directory", "import", example).lower()
    real = checkout.parent / "shared" / "data" / "illinois-legal-aid-hsds-1.1"
    if real.is_dir():
        network.command("directory", "import", str(real))
        assert "nothing has changed" in network.command("directory", "import", str(real)).lower()


async def walk(network: Network, checkout: Path) -> None:
    """From an empty database to a confirmed text, a completed referral, and a withdrawal."""
    await import_directory(network, checkout)
    network.command("agency", "add", "Lakeside Police Victim Unit", "--kind", "law_enforcement")
    network.command("agency", "add", "Lantern House", "--kind", "victim_services", "--organization", "Lantern House")
    dana = await add_person(network, "dana@lakeside.example", "Lakeside Police Victim Unit", "coordinator")
    rosa = await add_person(network, "rosa@lantern.example", "Lantern House", "intake")

    long_ago = await find_shelter(dana.client)
    assert "open_units_confirmed" not in long_ago["reasonsFor"], "nobody has counted since the package was written (D5)"
    await say_that_counts_are_true(rosa.client)
    shelter = await find_shelter(dana.client)
    assert "open_units_confirmed" in shelter["reasonsFor"]
    case = await open_case(dana.client, shelter["agencyId"])
    await refusals_without_a_fitting_release(dana.client, case, shelter)
    referral_id = await send(dana.client, case, shelter)
    await accept_and_read(rosa, dana, referral_id)
    free, held = await units(rosa.client)
    assert held == 1
    await schedule_and_confirm(network, rosa.client, dana.client, referral_id)
    await attend_and_complete(rosa.client, dana.client, referral_id)
    assert await units(rosa.client) == (free + 1, 0), "the bed is free again"
    await withdraw(dana.client, rosa, case, shelter)
    assert "links hold" in network.command("audit", "verify")


async def find_shelter(dana: Client) -> dict[str, Any]:
    """A confidential shelter is found by what it does, and shows no address, distance or point (D1, D2)."""
    asked = {"words": "shelter tonight, Spanish, takes a child", "zipCode": "60601", "withinKilometers": 30.0}
    found = [edge["node"] for edge in (await dana.do(SEARCH, search=asked))["edges"]]
    shelter: dict[str, Any] = next(node for node in found if node["organizationName"] == "Lantern House")
    assert shelter["confidential"]
    assert shelter["address"] is None
    assert shelter["distanceKilometers"] is None
    assert shelter["phone"]
    assert {"speaks_language", "takes_children"} <= set(shelter["reasonsFor"])
    return shelter


async def say_that_counts_are_true(rosa: Client) -> None:
    """The shelter counts its units: what the package brought was counted on the day it was written."""
    for count in await rosa.do("{ unitCounts { capacityId } }"):
        answer = await rosa.do(STILL_TRUE, id=count["capacityId"])
        assert answer["__typename"] == "Done", answer


@dataclass(frozen=True)
class Case:
    """A survivor as her coordinator knows her: by ids."""

    survivor_id: str
    need_id: str
    release_id: str


async def open_case(dana: Client, recipient_agency_id: str) -> Case:
    """Record her, how she may be reached, what she asks for, and what she agrees to."""
    survivor = {"givenName": "Marisol", "familyName": "Canaria", "dateOfBirth": "1998-04-02"}
    survivor_id = (await dana.do(RECORD, survivor=survivor))["id"]
    plan = {
        "phone": PHONE, "language": "es", "timeZone": daytime_zone(datetime.now(UTC)), "senderLabel": "planner",
        "safeWindows": [{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "06:00", "end": "23:00"}],
        "optedIn": True, "optInMethod": "WRITTEN", "reconfirmBy": str((datetime.now(UTC) + timedelta(days=60)).date()),
    }  # fmt: skip
    assert (await dana.do(PLAN, id=survivor_id, plan=plan))["__typename"] == "Done"
    need = {
        "serviceType": "emergency_shelter", "urgency": "URGENT", "region": "606", "language": "es",
        "householdSize": 2, "ageBand": "FROM_25_TO_59", "immigrationSensitive": True,
    }  # fmt: skip
    need_id = (await dana.do(NEED, id=survivor_id, need=need))["id"]
    return Case(survivor_id, need_id, await sign_release(dana, survivor_id, recipient_agency_id))


async def sign_release(dana: Client, survivor_id: str, recipient_agency_id: str) -> str:
    """A release of identity and contact, and no more, to one agency."""
    release = {
        "recipientAgencyId": recipient_agency_id, "purpose": "SHELTER", "categories": ["IDENTITY", "CONTACT"],
        "signer": "SURVIVOR", "method": "WRITTEN", "formLanguage": "es",
    }  # fmt: skip
    signed = await dana.do(RELEASE, id=survivor_id, release=release)
    assert signed["__typename"] == "Release", signed
    assert signed["isLive"]
    release_id: str = signed["id"]
    return release_id


def referral_input(case: Case, shelter: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "survivorId": case.survivor_id, "needId": case.need_id, "serviceAtLocationId": shelter["id"],
        "releaseId": case.release_id, "categories": ["IDENTITY", "CONTACT"],
    } | changed  # fmt: skip


async def refusals_without_a_fitting_release(dana: Client, case: Case, shelter: dict[str, Any]) -> None:
    """No release, and a category left out: each is refused under its own name (C1)."""
    refused = await dana.do(SEND, referral=referral_input(case, shelter, releaseId=case.need_id))
    assert (refused["code"], refused["field"]) == ("NO_LIVE_RELEASE", "releaseId")
    refused = await dana.do(SEND, referral=referral_input(case, shelter, categories=["IDENTITY", "SAFETY"]))
    assert (refused["code"], refused["field"]) == ("CATEGORY_NOT_RELEASED", "categories")


async def send(dana: Client, case: Case, shelter: dict[str, Any]) -> str:
    """Sent once, though the button was pressed twice (R7)."""
    key = "pressed-twice-0001"
    first = await dana.do(SEND, key=key, referral=referral_input(case, shelter))
    again = await dana.do(SEND, key=key, referral=referral_input(case, shelter))
    assert first["status"] == "REQUESTED", first
    assert first["id"] == again["id"]
    referral_id: str = first["id"]
    return referral_id


async def accept_and_read(rosa: Person, dana: Person, referral_id: str) -> None:
    """Before acceptance the need alone; after it, what was released, once the second factor is proven (R4, A5)."""
    opaque = await rosa.client.do(SHOW, id=referral_id)
    assert opaque["sourceAgencyName"] is None
    assert opaque["need"] == {"serviceType": "emergency_shelter", "householdSize": 2}
    await rosa.step_up()
    assert (await rosa.client.ask(DISCLOSURE, id=referral_id))["errors"][0]["extensions"]["code"] == "NO_LIVE_RELEASE"
    refused = await dana.client.do(step("acceptReferral"), id=referral_id)
    assert refused["code"] == "NOT_PERMITTED", "the sender cannot answer"
    accepted = await rosa.client.do(step("acceptReferral"), id=referral_id)
    assert accepted["status"] == "ACCEPTED", accepted
    assert accepted["holdsUnit"]
    disclosed = await rosa.client.do(DISCLOSURE, id=referral_id)
    told = {
        item["category"]: {fact["name"]: fact["value"] for fact in item["facts"]} for item in disclosed["categories"]
    }
    assert set(told) == {"IDENTITY", "CONTACT"}
    assert told["IDENTITY"]["given_name"] == "Marisol"
    assert told["CONTACT"]["phone"] == PHONE


async def units(rosa: Client) -> tuple[int, int]:
    """How many units of all of the shelter's services are free, and how many are held."""
    counts = await rosa.do("{ unitCounts { available held } }")
    return sum(count["available"] for count in counts), sum(count["held"] for count in counts)


async def schedule_and_confirm(network: Network, rosa: Client, dana: Client, referral_id: str) -> None:
    """She is texted that it is set, and reminded two hours before; she answers 1, and both sides see it."""
    zone = daytime_zone(datetime.now(UTC))
    # So soon that the reminder two hours before is due within seconds, and the one a day before is past.
    start = datetime.now(ZoneInfo(zone)) + timedelta(hours=2, seconds=6)
    visit = {
        "localStart": start.replace(tzinfo=None).isoformat(timespec="seconds"), "timeZone": zone,
        "durationMinutes": 45, "mode": "IN_PERSON",
    }  # fmt: skip
    scheduled = await rosa.do(VISIT, id=referral_id, visit=visit)
    assert scheduled["status"] == "IN_PROGRESS", scheduled

    async def two_texts() -> list[dict[str, Any]]:
        messages = await network.twilio.messages(PHONE)
        return messages if len(messages) >= 2 else []

    texts = await until("the text that it is set, and the reminder", two_texts, seconds=40)
    for message in texts:
        assert message["body"].startswith("Agenda: ")
        assert not re.search(r"lantern|shelter|refugio|police|marisol|http", message["body"], re.IGNORECASE)
        await network.twilio.deliver(message["sid"])
    await network.twilio.answer(PHONE, "1")

    async def confirmed() -> bool:
        shown = await dana.do(SHOW, id=referral_id)
        return shown["appointments"][0]["confirmedAt"] is not None

    await until("her answer", confirmed)

    async def delivered() -> bool:
        states = [text["state"] for text in await dana.do(TEXTS, id=referral_id)]
        return states == ["DELIVERED", "DELIVERED"]

    await until("the delivery reports", delivered)
    (appointment,) = (await dana.do(SHOW, id=referral_id))["appointments"]
    assert appointment["mode"] is None, "a police source learns that and when, not how (R5)"


async def attend_and_complete(rosa: Client, dana: Client, referral_id: str) -> None:
    """She came; the outcome is coded; the coordinator has seen every step."""
    assert (await rosa.do(step("markAttended"), id=referral_id))["businessStatus"] == "VISIT_ATTENDED"
    done = await rosa.do(step("completeReferral", ", outcome: SERVICES_RECEIVED"), id=referral_id)
    assert done["status"] == "COMPLETED", done
    seen = await dana.do(SHOW, id=referral_id)
    assert [event["event"] for event in seen["events"]] == ["SEND", "ACCEPT", "SCHEDULE", "ATTENDED", "COMPLETE"]
    late = await rosa.do(step("completeReferral", ", outcome: SERVICES_RECEIVED"), id=referral_id)
    assert late["code"] == "ILLEGAL_TRANSITION"


async def withdraw(dana: Client, rosa: Person, case: Case, shelter: dict[str, Any]) -> None:
    """A second referral, accepted and read; then she takes her consent back, and it is all gone in one moment (C4)."""
    release_id = await sign_release(dana, case.survivor_id, shelter["agencyId"])
    again = Case(case.survivor_id, case.need_id, release_id)
    referral_id = (await dana.do(SEND, referral=referral_input(again, shelter)))["id"]
    assert (await rosa.client.do(step("acceptReferral"), id=referral_id))["status"] == "ACCEPTED"
    assert (await rosa.client.do(DISCLOSURE, id=referral_id))["categories"]
    withdrawn = await dana.do(WITHDRAW, id=case.survivor_id)
    assert withdrawn["__typename"] == "ConsentWithdrawn", withdrawn
    assert not any(release["isLive"] for release in withdrawn["releases"])
    gone = await rosa.client.ask(DISCLOSURE, id=referral_id)
    assert gone["errors"][0]["extensions"]["code"] == "NO_LIVE_RELEASE"
    assert (await rosa.client.do(SHOW, id=referral_id))["status"] == "CANCELLED"
