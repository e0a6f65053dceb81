"""The explorer runs worked operations as the member, and keeps nothing."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import uuid4

import orjson
import pytest

from referralnet.console.json_shown import show_json
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.surface.console.conftest import Browser, OpenBrowser

SURVIVOR = {"givenName": "Canary-Given", "familyName": "Canary-Family", "dateOfBirth": None, "safetyNote": None}


@pytest.fixture
async def page(browser: OpenBrowser, member: MadeMember) -> Browser:
    opened = browser()
    await opened.sign_in(member)
    return opened


def variables_of(shown: str) -> dict[str, Any]:
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", shown, re.DOTALL)
    assert found
    variables: dict[str, Any] = orjson.loads(html.unescape(found.group(1)))
    return variables


def known_of(shown: str) -> str:
    found = re.search(r'name="known" value="([^"]*)"', shown)
    assert found
    return html.unescape(found.group(1))


async def test_a_member_is_offered_what_their_role_is_for(
    browser: OpenBrowser, page: Browser, owner: Database, keyring: Keyring
) -> None:
    intake = browser()
    await intake.sign_in(await make_member(owner, keyring, await make_agency(owner), (Role.INTAKE,)))
    coordinators, intakes = (await page.get("/explorer")).text, (await intake.get("/explorer")).text
    assert 'value="02_record_survivor"' in coordinators
    assert 'value="02_record_survivor"' not in intakes
    assert 'value="08_accept_referral"' in intakes
    assert "50_sign_in" not in coordinators + intakes


async def test_it_answers_as_the_member(page: Browser, member: MadeMember) -> None:
    answer = await page.post("/explorer", operation="40_me", variables="{}")
    assert answer.status_code == 200
    assert str(member.actor.member_id) in answer.text


async def test_what_one_answer_gives_the_next_operation_takes(page: Browser) -> None:
    variables = {"idempotencyKey": str(uuid4()), "survivor": SURVIVOR}
    answer = await page.post("/explorer", operation="02_record_survivor", variables=orjson.dumps(variables).decode())
    survivor_id = orjson.loads(known_of(answer.text))["survivorId"]
    laid_out = await page.post("/explorer", choose="04_record_need", known=known_of(answer.text))
    assert variables_of(laid_out.text)["survivorId"] == survivor_id
    assert "Still in braces" not in laid_out.text


async def test_a_fresh_key_is_laid_out_each_time(page: Browser) -> None:
    keys = [
        variables_of((await page.get("/explorer?operation=02_record_survivor")).text)["idempotencyKey"] for _ in "ab"
    ]
    assert keys[0] != keys[1]


async def test_what_is_not_known_is_named(page: Browser) -> None:
    shown = (await page.get("/explorer?operation=06_send_referral")).text
    assert "Still in braces: needId, releaseId, serviceAtLocationId, survivorId." in shown


async def test_a_refusal_is_told_in_words(page: Browser) -> None:
    wanted = {"referralId": str(uuid4())}
    answer = await page.post("/explorer", operation="11_referral", variables=orjson.dumps(wanted).decode())
    assert 'role="alert"' in answer.text
    assert "There is no such thing, or none that you may see." in answer.text


async def test_what_wants_a_second_factor_leads_to_it(page: Browser) -> None:
    wanted = {"survivorId": str(uuid4())}
    answer = await page.post("/explorer", operation="24_survivor_identity", variables=orjson.dumps(wanted).decode())
    assert '<a href="/step-up">Enter the code</a>' in answer.text


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null"])
async def test_variables_that_are_no_object_are_told_beside_the_field(page: Browser, text: str) -> None:
    answer = await page.post("/explorer", operation="40_me", variables=text)
    assert answer.status_code == 422
    assert "not a JSON object" in answer.text
    assert "Answer <" not in answer.text


async def test_an_operation_of_another_role_is_not_run(page: Browser) -> None:
    wanted = {"idempotencyKey": str(uuid4()), "referralId": str(uuid4())}
    answer = await page.post("/explorer", operation="08_accept_referral", variables=orjson.dumps(wanted).decode())
    assert "acceptReferral" not in answer.text


async def test_nothing_stays_on_the_page_afterwards(page: Browser) -> None:
    variables = {"idempotencyKey": str(uuid4()), "survivor": SURVIVOR}
    await page.post("/explorer", operation="02_record_survivor", variables=orjson.dumps(variables).decode())
    assert "Canary" not in (await page.get("/explorer?operation=02_record_survivor")).text


@pytest.mark.rule("C5")
async def test_no_survivor_is_taken_from_an_address(page: Browser) -> None:
    survivor_id, referral_id = str(uuid4()), str(uuid4())
    shown = await page.get(
        f"/explorer?operation=27_withdraw_referral&referralId={referral_id}&survivorId={survivor_id}"
    )
    assert variables_of(shown.text)["referralId"] == referral_id
    assert survivor_id not in shown.text


async def test_only_ids_are_brought_back_from_the_page(page: Browser) -> None:
    known = {"survivorId": "drop table", "needId": 7, "other": str(uuid4()), "releaseId": str(uuid4())}
    shown = await page.post("/explorer", choose="06_send_referral", known=orjson.dumps(known).decode())
    assert orjson.loads(known_of(shown.text)) == {"releaseId": known["releaseId"]}


def test_json_is_escaped_and_its_parts_are_told_apart() -> None:
    shown = show_json({"na<me": ['a"</span>', 1.5, None, True]})
    assert "<me" not in shown
    assert '<span class="json-name">&#34;na&lt;me&#34;</span>: [' in shown
    assert '<span class="json-text">&#34;a\\&#34;&lt;/span&gt;&#34;</span>' in shown
    assert '<span class="json-number">1.5</span>' in shown
    assert '<span class="json-word">null</span>' in shown
