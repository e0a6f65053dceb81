"""Her record on the screen: read after a code, corrected, added to, taken out of use, and nothing written over."""

from __future__ import annotations

import re

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import make_member
from tests.factories.messaging import superuser
from tests.factories.towns import Town
from tests.surface.console.cases import page, record, today, town
from tests.surface.console.conftest import Browser, OpenBrowser, hidden, statements
from tests.surface.console.test_pages import TELLING, Seen

__all__ = ["page", "today", "town"]


@pytest.fixture
async def proven(browser: OpenBrowser, owner: Database, keyring: Keyring, town: Town, today: FixedClock) -> Browser:
    """A coordinator of each test's own, because an hour has so many readings; she has just proved a second factor."""
    own = await make_member(owner, keyring, town.dana.actor.agency_id, (Role.COORDINATOR,))
    page = browser(now=today, environment="production")
    await page.sign_in(own)
    done = await page.post("/step-up", code=own.totp_code(today.now()))
    assert done.status_code == 303, done.text
    return page


async def kept(page: Browser, person: str, what: str, **fields: str) -> str:
    """Send one form of the record; returns the record as it stands then."""
    answer = await page.post(f"{person}/record/{what}", page=f"{person}/record", **fields)
    assert answer.status_code == 303, answer.text
    return (await page.get(str(answer.headers["location"]).partition("#")[0])).text


def of(html: str, what: str) -> str:
    """The handle that the first form of a kind brings."""
    found = re.search(rf'/record/{what}" .*?name="of" value="([\w-]{{43}})"', html, re.DOTALL)
    assert found, what
    return found.group(1)


@pytest.mark.rule("A5", "U1")
async def test_it_opens_after_a_code_and_each_reading_is_written_down(
    page: Browser, town: Town, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    person = await record(page, given_name="Xochitl")
    for path in (f"{person}/record", f"{person}/record/before"):
        asked = await page.get(path)
        assert asked.status_code == 303
        assert asked.headers["location"].startswith("/step-up")
    await page.post("/step-up", code=town.dana.totp_code(today.now()))
    assert 'value="Xochitl"' in (await page.get(f"{person}/record")).text
    assert (await page.get(f"{person}/record/before")).status_code == 200
    async with superuser(database_urls) as db:
        of_reading = "select action from audit_event where action in ('survivor_revealed', 'survivor_history_read')"
        assert {row["action"] for row in await db.fetch(of_reading)} == {"survivor_revealed", "survivor_history_read"}


async def test_a_name_is_corrected_and_the_one_before_is_kept(proven: Browser) -> None:
    person = await record(proven, given_name="Maria", family_name="Before")
    was = {"given_name_was": "Maria", "family_name_was": "Before"}
    shown = await kept(
        proven, person, "correct", **was, given_name="Marisol", family_name="After", keep_former_name="yes"
    )
    assert 'value="Marisol"' in shown
    assert "Maria Before" in shown
    before = (await proven.get(f"{person}/record/before")).text
    assert "<strong>Maria</strong>" in before
    assert "<strong>Before</strong>" in before


async def test_what_a_colleague_corrected_meanwhile_is_not_put_back(proven: Browser) -> None:
    person = await record(proven, given_name="Old", family_name="Old")
    await kept(
        proven, person, "correct", given_name_was="Old", given_name="New", family_name_was="Old", family_name="Old"
    )
    # Opened before that, and sent after it.
    shown = await kept(
        proven, person, "correct", given_name_was="Old", given_name="Old", family_name_was="Old", family_name="Newer"
    )
    assert 'value="New"' in shown
    assert 'value="Newer"' in shown


async def test_a_birth_date_may_be_emptied_and_a_name_may_not(proven: Browser) -> None:
    person = await record(proven, given_name="Ana", date_of_birth="1999-05-04")
    shown = await kept(
        proven, person, "correct", given_name_was="Ana", given_name="Ana", date_of_birth_was="1999-05-04"
    )
    assert 'value="1999-05-04"' not in shown
    refused = await proven.post(
        f"{person}/record/correct", page=f"{person}/record", given_name_was="Ana", given_name="", pronouns="she, they"
    )
    assert (refused.status_code, 'id="given_name-wrong"' in refused.text) == (422, True)
    assert 'value="she, they"' in refused.text


async def test_other_names_and_numbers_come_and_go(proven: Browser) -> None:
    person = await record(proven)
    shown = await kept(proven, person, "name", alias_name="Lupita", alias_kind="nickname")
    assert "Lupita" in shown
    assert "Lupita" not in await kept(proven, person, "name-out", of=of(shown, "name-out"))
    shown = await kept(proven, person, "number", number="312 555 0143", number_kind="friend", number_safe="yes")
    assert "No longer safe" in shown
    shown = await kept(proven, person, "number-unsafe", of=of(shown, "number-unsafe"))
    assert "She says it is safe" in shown
    shown = await kept(proven, person, "number-safe", of=of(shown, "number-safe"))
    assert "None is kept." in await kept(proven, person, "number-out", of=of(shown, "number-out"))


@pytest.mark.parametrize(
    ("what", "fields", "beside"),
    [
        ("name", {"alias_kind": "nickname"}, "alias_name"),
        ("name", {"alias_name": "Typed once"}, "alias_kind"),
        ("number", {"number": "12", "number_kind": "own"}, "number"),
        ("number", {"number": "312 555 0143"}, "number_kind"),
        ("note", {"category": "legal", "text_legal": "x" * 2001, "after_version": "0"}, "text_legal"),
        ("signer", {"relationship": "parent"}, "signer_name"),
        ("signer", {"signer_name": "Typed once"}, "relationship"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    proven: Browser, what: str, fields: dict[str, str], beside: str
) -> None:
    person = await record(proven)
    refused = await proven.post(f"{person}/record/{what}", page=f"{person}/record", **fields)
    assert (refused.status_code, f'id="{beside}-wrong"' in refused.text) == (422, True), refused.text
    for typed in ("Typed once", "312 555 0143"):
        assert (typed in refused.text) == (typed in fields.values())


async def test_a_note_written_meanwhile_is_shown_and_not_lost(proven: Browser) -> None:
    person = await record(proven)
    await kept(proven, person, "note", category="legal", text_legal="first", after_version="0")
    late = {"category": "legal", "text_legal": "mine", "after_version": "0"}
    refused = await proven.post(f"{person}/record/note", page=f"{person}/record", **late)
    assert (refused.status_code, 'id="text_legal-wrong"' in refused.text) == (422, True)
    assert re.search(r"It says now:</strong> first", refused.text)
    assert ">mine</textarea>" in refused.text
    shown = await kept(proven, person, "note", category="legal", text_legal="both", after_version="1")
    assert ">both</textarea>" in shown
    before = (await proven.get(f"{person}/record/before")).text
    assert "<p>first</p>" in before
    assert "<p>both</p>" in before


@pytest.mark.rule("C7")
async def test_whoever_may_sign_is_kept_marked_and_unmarked(proven: Browser) -> None:
    person = await record(proven, given_name="Nia", date_of_birth="2014-05-04")
    shown = await kept(proven, person, "signer", signer_name="Guardian Invented", relationship="guardian")
    shown = await kept(proven, person, "signer-marked", of=of(shown, "signer-marked"), abuser_of="survivor")
    assert "may not sign" in shown
    shown = await kept(proven, person, "mark-lifted", of=of(shown, "mark-lifted"))
    assert "may not sign" not in shown
    assert "Guardian Invented" not in await kept(proven, person, "signer-out", of=of(shown, "signer-out"))
    assert "Guardian Invented" in (await proven.get(f"{person}/record/before")).text


@pytest.mark.rule("R7")
async def test_a_form_that_comes_twice_adds_once(proven: Browser) -> None:
    person = await record(proven)
    fields = hidden((await proven.get(f"{person}/record")).text) | {"alias_name": "Once", "alias_kind": "nickname"}
    for _ in range(2):
        assert (await proven.send(f"{person}/record/name", fields)).status_code == 303
    assert (await proven.get(f"{person}/record")).text.count("<strong>Once</strong>") == 1


@pytest.mark.rule("A1", "A4")
async def test_nobody_elses_record_opens(
    proven: Browser, browser: OpenBrowser, owner: Database, keyring: Keyring, town: Town, today: FixedClock
) -> None:
    person = await record(proven)
    for agency_id, role in ((town.house_id, Role.COORDINATOR), (town.dana.actor.agency_id, Role.INTAKE)):
        other = browser(now=today)
        await other.sign_in(await make_member(owner, keyring, agency_id, [role]))
        for what in ("", "/before"):
            assert (await other.get(f"{person}/record{what}")).status_code == 404
        sent = await other.post(f"{person}/record/name", page="/step-up", alias_name="x", alias_kind="nickname")
        assert sent.status_code == 404


async def test_the_pages_are_neutral_and_a_few_statements(proven: Browser, app: Database) -> None:
    person = await record(proven)
    for number in range(3):
        await kept(proven, person, "name", alias_name=f"Name {number}", alias_kind="nickname")
        await kept(proven, person, "note", category="legal", text_legal=f"Note {number}", after_version=str(number))
        await kept(proven, person, "signer", signer_name=f"Signer {number}", relationship="parent")
    for path, most in ((f"{person}/record", 14), (f"{person}/record/before", 12)):
        with statements(app) as sent:
            shown = (await proven.get(path)).text
        assert 0 < len(sent) <= most, f"{len(sent)}: " + "\n".join(sent)
        seen = Seen(shown)
        assert not TELLING.search(seen.title)
        assert seen.inline == []
        assert all("form_token" in form for form in seen.forms if "method=post" in form)
