"""Signing in and out in a browser: the cookie, the form's origin, and what is left afterwards (A6, A7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from referralnet.clock import FixedClock
from referralnet.console.forms import FORM_BYTES_MAX, own_origins
from tests.factories.identity import MadeMember
from tests.surface.console.conftest import BASE, OpenBrowser

PAGES_WITH_FORMS = ("/sign-out", "/step-up", "/explorer")


async def test_a_member_signs_in_and_sees_who_they_are(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    answer = await page.sign_in(member)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    home = await page.get("/")
    assert f"Member {member.login.partition('@')[0]}" in home.text
    assert "coordinator" in home.text


@pytest.mark.rule("A6")
async def test_the_session_cookie_is_for_this_host_over_tls_alone(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser(base="https://workspace.example.test", secure_cookies=True)
    answer = await page.sign_in(member)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-referralnet_session="))
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/"} == attributes
    assert (await page.get("/")).status_code == 200


@pytest.mark.rule("A6")
async def test_on_ones_own_machine_the_cookie_is_still_closed_to_scripts_and_other_sites(
    browser: OpenBrowser, member: MadeMember
) -> None:
    answer = await browser().sign_in(member)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("referralnet_session="))
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "samesite=strict", "path=/"}


@pytest.mark.rule("A6")
async def test_after_signing_out_the_session_is_of_no_use_to_whoever_kept_it(
    browser: OpenBrowser, member: MadeMember
) -> None:
    page, thief = browser(), browser()
    await page.sign_in(member)
    thief.client.cookies = page.client.cookies.__class__(page.client.cookies)
    assert (await thief.get("/")).status_code == 200
    answer = await page.post("/sign-out", page="/")
    assert answer.headers["location"] == "/sign-in"
    assert 'referralnet_session=""' in answer.headers["set-cookie"]
    answer = await thief.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.rule("A6")
async def test_an_idle_session_ends(browser: OpenBrowser, member: MadeMember, clock: FixedClock) -> None:
    page = browser()
    await page.sign_in(member)
    clock.advance(timedelta(minutes=31))
    assert (await page.get("/")).status_code == 303


@pytest.mark.rule("A7")
async def test_a_wrong_password_and_an_unknown_login_look_the_same(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser(environment="production")
    wrong = await page.post("/sign-in", login=member.login, password="not the password")
    unknown = await page.post("/sign-in", login="nobody@example.org", password="not the password")
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text.replace(member.login, "") == unknown.text.replace("nobody@example.org", "")
    assert "referralnet_session" not in str(wrong.headers)


@pytest.mark.rule("A7")
async def test_guessing_is_stopped(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    for _ in range(8):
        assert (await page.post("/sign-in", login=member.login, password="guess")).status_code == 403
    answer = await page.sign_in(member)
    assert answer.status_code == 429
    assert "Wait 15 minutes" in answer.text


@pytest.mark.rule("A6")
@pytest.mark.parametrize(
    "origin", [None, "null", "https://elsewhere.example", "http://127.0.0.1:8401", "https://127.0.0.1:8400"]
)
async def test_a_form_from_another_site_does_nothing(
    browser: OpenBrowser, member: MadeMember, origin: str | None
) -> None:
    page = browser()
    await page.sign_in(member)
    headers = {} if origin is None else {"origin": origin}
    for path in PAGES_WITH_FORMS:
        data = {"form_token": await page.token("/"), "code": member.totp_secret}
        answer = await page.client.post(path, data=data, headers=headers)
        assert answer.status_code == 403, path
        assert "from another site" in answer.text
    assert (await page.get("/")).status_code == 200  # not signed out


@pytest.mark.rule("A6")
async def test_a_form_without_this_sessions_token_does_nothing(browser: OpenBrowser, member: MadeMember) -> None:
    page, other = browser(), browser()
    await other.sign_in(member)
    others_token = await other.token("/")
    await page.sign_in(member)
    for token in ("", "0" * 64, others_token, "ünknown"):
        for path in PAGES_WITH_FORMS:
            answer = await page.client.post(path, data={"form_token": token}, headers={"origin": BASE})
            assert answer.status_code == 403, path
    assert (await page.get("/")).status_code == 200


@pytest.mark.rule("A6")
async def test_nobody_is_signed_in_by_a_form_that_their_browser_did_not_load(
    browser: OpenBrowser, member: MadeMember
) -> None:
    page, attacker = browser(), browser()
    token = await attacker.token("/sign-in")
    fields = {"login": member.login, "password": member.password, "form_token": token}
    answer = await page.client.post("/sign-in", data=fields, headers={"origin": BASE})
    assert answer.status_code == 403
    assert "referralnet_session" not in str(answer.headers)


async def test_what_is_not_a_small_form_is_refused(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    await page.sign_in(member)
    headers = {"origin": BASE}
    as_form = {**headers, "content-type": "application/x-www-form-urlencoded"}
    assert (await page.client.post("/step-up", json={}, headers=headers)).status_code == 403
    assert (await page.client.post("/step-up", content=b"a=\xff", headers=as_form)).status_code == 403
    many = "&".join(f"a{n}=1" for n in range(100))
    assert (await page.client.post("/step-up", content=many, headers=as_form)).status_code == 403
    large = b"form_token=" + b"a" * FORM_BYTES_MAX
    answer = await page.client.post("/step-up", content=large, headers=as_form)
    assert (answer.status_code, "too long" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("base_url", "origin", "own"),
    [
        ("https://workspace.example.test", "https://workspace.example.test", True),
        ("https://workspace.example.test/", "https://workspace.example.test", True),
        ("https://workspace.example.test", "http://workspace.example.test", False),
        ("https://workspace.example.test", "https://localhost", False),
        ("http://127.0.0.1:8400", "http://localhost:8400", True),
        ("http://[::1]:8400", "http://127.0.0.1:8400", True),
        ("http://127.0.0.1:8400", "http://localhost:8401", False),
        ("http://127.0.0.1:8400", "null", False),
    ],
)
def test_only_our_own_address_is_our_origin(base_url: str, origin: str, own: bool) -> None:
    assert (origin in own_origins(base_url)) is own


async def test_whoever_is_signed_in_is_not_asked_again(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    await page.sign_in(member)
    assert (await page.get("/sign-in")).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/", "/step-up", "/explorer"])
async def test_members_pages_ask_strangers_to_sign_in(browser: OpenBrowser, path: str) -> None:
    answer = await browser().get(path)
    assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/sign-in", "")


async def test_an_example_person_is_one_click_away(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    listed = (await page.get("/sign-in")).text
    assert f'href="/sign-in?as={member.login.replace("@", "%40")}"' in listed
    filled = (await page.get(f"/sign-in?as={member.login}")).text
    assert f'value="{member.login}"' in filled
    assert f'value="{member.password}"' in filled


async def test_in_production_no_password_is_filled_in(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser(environment="production")
    for path in ("/sign-in", f"/sign-in?as={member.login}"):
        shown = (await page.get(path)).text
        assert member.login not in shown
        assert member.password not in shown


@pytest.mark.rule("P3")
@pytest.mark.parametrize("field", ["login", "password"])
async def test_a_character_that_no_text_can_hold_is_refused_and_no_crash(
    browser: OpenBrowser, member: MadeMember, field: str
) -> None:
    fields = {"login": member.login, "password": member.password}
    answer = await browser().post("/sign-in", **{**fields, field: fields[field] + "\0"})
    assert answer.status_code == 403
