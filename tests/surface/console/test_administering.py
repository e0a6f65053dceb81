"""Administering in a browser: people who come and go, agencies that join, other programs, and who is offered what."""

from __future__ import annotations

import re

import pyotp
import pytest

from referralnet.clock import FixedClock
from referralnet.console.sections import SECTIONS
from referralnet.database.acting import AgencyKind, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.surface.console.conftest import Browser, OpenBrowser, hidden

CODE = re.compile(r"<code>((?:[A-Z0-9]{4}-){4}[A-Z0-9]{4})</code>")
GOOD = "a sentence that I remember"


async def administrator(
    browser: OpenBrowser, owner: Database, keyring: Keyring, *roles: Role
) -> tuple[Browser, MadeMember]:
    network = Role.NETWORK_ADMIN in roles
    kind = AgencyKind.NETWORK_OPERATOR if network else AgencyKind.VICTIM_SERVICES
    member = await make_member(owner, keyring, await make_agency(owner, kind=kind), roles or (Role.AGENCY_ADMIN,))
    page = browser(environment="production")
    await page.sign_in(member)
    return page, member


@pytest.mark.rule("A7")
async def test_somebody_is_invited_joins_and_signs_in_and_no_page_shows_the_code_twice(
    browser: OpenBrowser, owner: Database, keyring: Keyring, clock: FixedClock
) -> None:
    page, _ = await administrator(browser, owner, keyring)
    login = f"noa.{id(page)}@harbor.example"
    fields = {"display_name": "Noa Example", "login": login, "roles": "intake", "trained_until": "2099-01-01"}
    answer = await page.post("/administer/members/invite", **fields)
    shown = CODE.search(answer.text)
    assert shown
    listed = (await page.get("/administer/members")).text
    assert "Noa Example" in listed
    assert "invited" in listed
    assert shown.group(1) not in listed
    newcomer = browser(environment="production")
    opened = (await newcomer.post("/join", code=shown.group(1))).text
    assert "You join" in opened
    assert "<svg" in opened
    secret = re.search(r'name="totp_secret" value="([A-Z2-7]{32})"', opened)
    assert secret
    chosen = {"code": shown.group(1), "totp_secret": secret.group(1), "password": GOOD}
    wrong = await newcomer.post("/join", totp_code="000000", **chosen)
    assert (wrong.status_code, 'id="totp_code-wrong"' in wrong.text) == (422, True)
    right = pyotp.TOTP(secret.group(1)).at(clock.now())
    joined = await newcomer.post("/join", totp_code=right, **chosen)
    assert joined.headers["location"] == "/sign-in"
    assert (await newcomer.post("/join", code=shown.group(1))).status_code == 422
    assert (await newcomer.post("/sign-in", login=login, password=GOOD)).headers["location"] == "/"


@pytest.mark.rule("P3")
async def test_what_is_wrong_with_an_invitation_stands_beside_its_field_and_keeps_what_was_typed(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page, member = await administrator(browser, owner, keyring)
    for fields, field in (
        ({"login": "nobody", "display_name": "Noa", "roles": "intake"}, "login"),
        ({"login": "a@b.example", "display_name": " ", "roles": "intake"}, "display_name"),
        ({"login": "a@b.example", "display_name": "Noa"}, "roles"),
        ({"login": "a@b.example", "display_name": "Noa", "roles": "network_admin"}, "roles"),
        ({"login": "a@b.example", "display_name": "Noa", "roles": "intake", "trained_until": "soon"}, "trained_until"),
        ({"login": member.login, "display_name": "Noa", "roles": "intake"}, "login"),
    ):
        answer = await page.post("/administer/members/invite", **fields)
        assert answer.status_code == 422, field
        assert f'id="{field}-wrong"' in answer.text
        assert f'<a href="#{field}">' in answer.text
        assert f'value="{fields["login"]}"' in answer.text


@pytest.mark.rule("A3")
async def test_a_member_is_changed_turned_off_and_let_in_again(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page, admin = await administrator(browser, owner, keyring)
    colleague = await make_member(owner, keyring, admin.actor.agency_id, (Role.INTAKE,))
    theirs = browser(environment="production")
    await theirs.sign_in(colleague)
    path = await address_of(page, colleague)
    changed = await page.post(path, act="change", roles="coordinator", trained_until="2099-01-01")
    assert changed.status_code == 303
    assert "It holds at once" in (await page.get(path)).text
    assert "coordinator" in (await theirs.get("/")).text
    await page.post(path, act="disable")
    assert (await theirs.get("/")).headers["location"] == "/sign-in"
    await page.post(path, act="enable")
    assert (await theirs.sign_in(colleague)).headers["location"] == "/"
    await page.post(path, act="sign_out")
    assert (await theirs.get("/")).headers["location"] == "/sign-in"
    assert CODE.search((await page.post(path, act="again")).text)
    own = await address_of(page, admin)
    assert "another administrator changes" in (await page.get(own)).text
    token = await page.token(path)
    refused = await page.send(own, {"form_token": token, "intention": "x" * 20, "act": "change", "roles": "intake"})
    assert refused.status_code == 422


async def address_of(page: Browser, member: MadeMember) -> str:
    listed = (await page.get("/administer/members")).text
    name = f"Member {member.login.partition('@')[0]}"
    found = re.search(rf'<a href="(/administer/members/[^"]+)">{name}</a>', listed)
    assert found
    assert str(member.actor.member_id) not in listed
    return found.group(1)


@pytest.mark.rule("A4")
async def test_an_agency_joins_the_network_and_is_turned_off_and_on(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page, keeper = await administrator(browser, owner, keyring, Role.NETWORK_ADMIN)
    name = f"House {keeper.login[:6]}"
    fields = {"name": name, "kind": "victim_services", "regime": "general", "time_zone": "America/Chicago"}
    added = await page.post("/administer/network/add", **fields)
    first = added.headers["location"]
    assert first.endswith("/first")
    assert name in (await page.get(first)).text
    invited = await page.post(first, display_name="Ada", login=f"ada@{keeper.login[:6]}.example")
    assert CODE.search(invited.text)
    again = await page.post("/administer/network/add", **fields)
    assert (again.status_code, 'id="name-wrong"' in again.text) == (422, True)
    wrong_zone = await page.post("/administer/network/add", **{**fields, "name": "x", "time_zone": "Mars/Base"})
    assert 'id="time_zone-wrong"' in wrong_zone.text
    agency_id = first.split("/")[3]
    for act, mark in (("off", "turned off"), ("on", "nobody signs in yet")):
        await page.post("/administer/network", agency=agency_id, act=act)
        listed = (await page.get("/administer/network")).text
        assert mark in listed.partition(name)[2][:300]


async def test_a_program_is_told_turned_off_and_its_secret_shown_once(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page, _ = await administrator(browser, owner, keyring)
    wrong = await page.post("/administer/programs", url="http://127.0.0.1/x", kinds="referral.changed")
    assert (wrong.status_code, 'id="url-wrong"' in wrong.text) == (422, True)
    none = await page.post("/administer/programs", url="https://203.0.113.7/x")
    assert none.status_code == 422
    made = await page.post("/administer/programs", url="https://8.8.8.8/told", kinds="referral.changed")
    secret = re.search(r"<code>(whsec_[^<]+)</code>", made.text)
    assert secret
    listed = (await page.get("/administer/programs")).text
    assert secret.group(1) not in listed
    found = re.search(r'href="(/administer/programs/[0-9a-f-]+)"', listed)
    assert found
    rotated = await page.post(found.group(1), act="rotate")
    assert "whsec_" in rotated.text
    await page.post(found.group(1), act="disable")
    assert "Turned off since" in (await page.get(found.group(1))).text
    await page.post(found.group(1), act="change", url="https://8.8.8.8/told", kinds="appointment.set")
    assert "Turned off since" not in (await page.get(found.group(1))).text
    assert (await page.post(found.group(1), act="replay_all")).status_code == 303


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", list(Role))
async def test_everybody_is_offered_their_sections_and_no_others(
    browser: OpenBrowser, owner: Database, keyring: Keyring, role: Role
) -> None:
    page, _ = await administrator(browser, owner, keyring, role)
    home = (await page.get("/")).text
    for path, roles in OFFERED.items():
        answer = await page.get(path)
        assert (answer.status_code == 200) is (role in roles), (path, answer.status_code)
    assert ('href="/administer"' in home) is any(role in roles for path, roles in OFFERED.items() if path in IN_HEAD)
    assert ('href="/trail"' in home) is (role is Role.AUDITOR)


ADMIN, KEEPER = {Role.AGENCY_ADMIN}, {Role.NETWORK_ADMIN}
OFFERED = {
    "/administer/members": ADMIN,
    "/administer/members/invite": ADMIN,
    "/administer/listings": ADMIN,
    "/administer/programs": ADMIN,
    "/administer/reminders": ADMIN,
    "/administer/files": {Role.COORDINATOR},
    "/administer/network": KEEPER,
    "/administer/network/add": KEEPER,
    "/administer/imports": KEEPER,
    "/administer/duplicates": ADMIN | KEEPER,
    "/administer/kinds": ADMIN | KEEPER,
    "/administer/deadlines": ADMIN | KEEPER,
    "/measures": {Role.AGENCY_ADMIN, Role.NETWORK_ADMIN, Role.AUDITOR},
    "/trail": {Role.AUDITOR},
}
IN_HEAD = {"/administer/members", "/administer/network"}


def test_every_section_is_among_those_that_are_tried() -> None:
    assert {f"/administer/{word}" for word, _, _ in SECTIONS} <= set(OFFERED)


async def test_kinds_are_a_tree_that_can_be_searched_and_deadlines_say_what_holds(
    browser: OpenBrowser, owner: Database, keyring: Keyring, clock: FixedClock
) -> None:
    page, _ = await administrator(browser, owner, keyring)
    whole = (await page.get("/administer/kinds")).text
    narrowed = (await page.get("/administer/kinds?words=visa")).text
    assert len(narrowed) < len(whole)
    assert "t_visa" in narrowed
    assert "No kind is called so." in (await page.get("/administer/kinds?words=zzqqxx")).text
    agreed = (await page.get("/administer/deadlines")).text
    assert "4 hours, day and night" in agreed
    assert "3 business days" in agreed
    assert "after 87.5 %" in agreed


FIGURES = {"urgent_hours": "2", "priority_hours": "12", "routine_business_days": "1"}


@pytest.mark.rule("R6")
async def test_deadlines_are_changed_after_their_effect_was_seen(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page, _ = await administrator(browser, owner, keyring, Role.NETWORK_ADMIN)
    address = "/administer/deadlines"
    looked = await page.post(address, act="look", **FIGURES)
    assert looked.status_code == 200
    assert "2 hours, day and night in place of 4 hours, day and night" in looked.text
    assert "Nothing is changed yet." in looked.text
    assert "4 hours, day and night" in (await page.get(address)).text
    fields = {**hidden(looked.text), **FIGURES, "act": "keep"}
    for _ in range(2):  # a doubled click
        kept = await page.send(address, fields)
        assert kept.headers["location"] == address
    shown = (await page.get(address)).text
    assert "2 hours, day and night" in shown
    assert "4 hours, day and night" not in shown
    other, _ = await administrator(browser, owner, keyring)
    shown = (await other.get(address)).text
    assert "2 hours, day and night" in shown
    assert 'name="urgent_hours"' not in shown
    assert (await other.post(address, page="/step-up", act="keep", **FIGURES)).status_code == 404


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("field", "typed"),
    [("urgent_hours", "soon"), ("urgent_hours", "25"), ("priority_hours", ""), ("routine_business_days", "²")],
)
async def test_a_deadline_out_of_reason_is_told_beside_its_field_and_what_was_typed_stays(
    browser: OpenBrowser, owner: Database, keyring: Keyring, field: str, typed: str
) -> None:
    page, _ = await administrator(browser, owner, keyring, Role.NETWORK_ADMIN)
    answer = await page.post("/administer/deadlines", act="look", **{**FIGURES, field: typed})
    assert answer.status_code == 422
    assert f'id="{field}-wrong"' in answer.text
    assert f'value="{typed}"' in answer.text
    assert "Let it hold" not in answer.text


@pytest.mark.rule("M9")
async def test_reminders_are_changed_after_they_were_seen_on_a_visit(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page, _ = await administrator(browser, owner, keyring)
    address = "/administer/reminders"
    assert "Your agency has said nothing" in (await page.get(address)).text
    own = ["48", "", "3"]
    looked = (await page.post(address, act="look", whose="own", reminder_hours_before=own)).text
    assert "Nothing is changed yet." in looked
    assert (await page.post(address, act="keep", whose="own", reminder_hours_before=own)).headers["location"] == address
    shown = (await page.get(address)).text
    assert "Your agency has said so itself." in shown
    assert re.findall(r'name="reminder_hours_before" value="(\d*)"', shown) == ["48", "3", "", ""]
    none = (await page.post(address, act="look", whose="own", reminder_hours_before=["", "", "", ""])).text
    assert "no reminder at all" in none
    wrong = await page.post(address, act="look", whose="own", reminder_hours_before=["200"])
    assert (wrong.status_code, 'id="reminder_hours_before-wrong"' in wrong.text) == (422, True)
    assert 'value="200"' in wrong.text
    assert (await page.post(address, act="keep", whose="network")).headers["location"] == address
    assert "Your agency has said nothing" in (await page.get(address)).text
