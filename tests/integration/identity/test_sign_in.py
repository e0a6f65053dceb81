"""Signing in: tokens that are stored hashed, one answer for every wrong try, and a limit to guessing."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.identity import passwords, sign_in
from referralnet.identity.attempts import FAILURES_MAX, FAILURES_WITHIN, TooManyAttempts
from referralnet.identity.sessions import OpenedSession, SessionKind, find_member
from referralnet.identity.sign_in import SignInRefused
from tests.factories.identity import WEAK_HASH, MadeMember, make_agency, make_member

IDLE = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown login costs what a made member's weak hash costs; what a real one costs is tested by itself."""
    monkeypatch.setattr(passwords, "_nobodys_hash", lambda: WEAK_HASH)


@pytest_asyncio.fixture
async def made(owner: Database, keyring: Keyring) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner))


class Door:
    """Tries to sign in, as the API does."""

    def __init__(self, app: Database, keyring: Keyring, clock: FixedClock) -> None:
        self.app, self._keyring, self.clock = app, keyring, clock

    async def attempt(self, login: str, password: str) -> OpenedSession | Refusal:
        return await sign_in.sign_in(
            self.app, login, password, SessionKind.BROWSER,
            lifetime=timedelta(hours=12), keyring=self._keyring, now=self.clock.now(),
        )  # fmt: skip

    async def fail(self, login: str, times: int) -> None:
        for _ in range(times):
            assert isinstance(await self.attempt(login, "wrong password"), SignInRefused)


@pytest.fixture
def door(app: Database, keyring: Keyring, clock: FixedClock) -> Door:
    return Door(app, keyring, clock)


async def test_the_token_speaks_for_the_member(door: Door, made: MadeMember) -> None:
    opened = await door.attempt(f"  {made.login.upper()} ", made.password)
    assert isinstance(opened, OpenedSession)
    async with door.app.alone() as asking:
        member = await find_member(asking, opened.token, idle=IDLE, api_idle=IDLE, now=door.clock.now())
    assert member is not None
    assert (member.member_id, member.roles, member.stepped_up_at) == (made.actor.member_id, made.actor.roles, None)
    assert opened.expires_at == door.clock.now() + timedelta(hours=12)


@pytest.mark.rule("A7")
async def test_the_token_and_the_password_stand_nowhere_in_the_database(
    owner: Database, door: Door, made: MadeMember
) -> None:
    opened = await door.attempt(made.login, made.password)
    assert isinstance(opened, OpenedSession)
    assert opened.token not in repr(opened)
    async with owner.transaction(Operator()) as session:
        for table in ("member_session", "member_credential", "sign_in_attempt", "audit_event"):
            rows = "".join(await session.scalars(text(f"select row_to_json(found)::text from {table} as found")))
            assert opened.token not in rows
            assert opened.token.encode().hex() not in rows
            assert made.password not in rows
        stored = await session.scalar(
            text("select token_hash from member_session where id = :id"), {"id": opened.session_id}
        )
    assert stored == hashlib.sha256(opened.token.encode()).digest()
    assert len(opened.token) >= 43  # 256 bits


@pytest.mark.rule("A7")
async def test_a_wrong_password_an_unknown_login_and_a_disabled_member_get_one_answer(
    owner: Database, keyring: Keyring, door: Door, made: MadeMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    disabled = await make_member(owner, keyring, made.actor.agency_id)
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("update member set disabled_at = now() where id = :id"), {"id": disabled.actor.member_id}
        )
    work = 0

    def verify(_hash: str | None, _password: str) -> bool:
        nonlocal work
        work += 1
        return False

    monkeypatch.setattr(passwords, "_verify", verify)
    answers = [
        await door.attempt(made.login, "wrong password"),
        await door.attempt("nobody@example.org", made.password),
        await door.attempt(disabled.login, disabled.password),
    ]
    assert {(type(answer), getattr(answer, "field", None), str(answer)) for answer in answers} == {
        (SignInRefused, None, "The login or the password is not right.")
    }
    assert work == 3


async def test_a_disabled_member_and_one_of_an_inactive_agency_do_not_get_in(
    owner: Database, keyring: Keyring, door: Door
) -> None:
    disabled = await make_member(owner, keyring, await make_agency(owner))
    of_closed = await make_member(owner, keyring, await make_agency(owner))
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("update member set disabled_at = now() where id = :id"), {"id": disabled.actor.member_id}
        )
        await session.execute(
            text("update agency set active = false where id = :id"), {"id": of_closed.actor.agency_id}
        )
    assert isinstance(await door.attempt(disabled.login, disabled.password), SignInRefused)
    assert isinstance(await door.attempt(of_closed.login, of_closed.password), SignInRefused)


@pytest.mark.rule("A7")
async def test_after_eight_wrong_tries_even_the_right_password_waits_a_quarter_of_an_hour(
    door: Door, made: MadeMember
) -> None:
    await door.fail(made.login, FAILURES_MAX)
    assert isinstance(await door.attempt(made.login, made.password), TooManyAttempts)
    door.clock.advance(FAILURES_WITHIN - timedelta(seconds=1))
    assert isinstance(await door.attempt(made.login, made.password), TooManyAttempts)
    door.clock.advance(timedelta(seconds=2))
    assert isinstance(await door.attempt(made.login, made.password), OpenedSession)


@pytest.mark.rule("A7")
async def test_an_unknown_login_is_held_up_just_the_same(door: Door) -> None:
    await door.fail("nobody-at-all@example.org", FAILURES_MAX)
    assert isinstance(await door.attempt("NOBODY-at-all@example.org", "x"), TooManyAttempts)


async def test_the_right_password_ends_the_count_and_others_are_not_held_up(
    owner: Database, keyring: Keyring, door: Door, made: MadeMember
) -> None:
    await door.fail(made.login, FAILURES_MAX - 1)
    door.clock.advance(timedelta(seconds=1))
    assert isinstance(await door.attempt(made.login, made.password), OpenedSession)
    door.clock.advance(timedelta(seconds=1))
    await door.fail(made.login, FAILURES_MAX)
    assert isinstance(await door.attempt(made.login, made.password), TooManyAttempts)
    other = await make_member(owner, keyring, made.actor.agency_id)
    assert isinstance(await door.attempt(other.login, other.password), OpenedSession)


@pytest.mark.rule("C5")
async def test_an_attempt_is_kept_without_the_login(owner: Database, door: Door) -> None:
    await door.fail("canary@example.org", 1)
    async with owner.transaction(Operator()) as session:
        rows = await session.scalars(text("select row_to_json(found)::text from sign_in_attempt as found"))
        assert not [row for row in rows if "canary" in row]


async def test_signing_in_is_told_in_the_trail(owner: Database, door: Door, made: MadeMember) -> None:
    opened = await door.attempt(made.login, made.password)
    assert isinstance(opened, OpenedSession)
    async with owner.transaction(Operator()) as session:
        event = (
            await session.execute(
                text("select agency_id, member_id, action, detail from audit_event where subject_id = :id"),
                {"id": opened.session_id},
            )
        ).one()
    assert tuple(event) == (made.actor.agency_id, made.actor.member_id, "signed_in", {"kind": "browser"})
