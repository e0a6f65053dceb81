"""The second factor: a code counts once, for the session that gave it, for five minutes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.identity.attempts import FAILURES_MAX, FAILURES_WITHIN, TooManyAttempts
from referralnet.identity.sessions import find_member
from referralnet.identity.step_up import StepUpNeeded, StepUpRefused, require_fresh, step_up
from tests.factories.identity import MadeMember, make_agency, make_member


@pytest_asyncio.fixture
async def made(owner: Database, keyring: Keyring, clock: FixedClock) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner), now=clock.now())


class Factor:
    """Gives codes for the module's database."""

    def __init__(self, app: Database, keyring: Keyring, clock: FixedClock) -> None:
        self._app, self._keyring, self._clock = app, keyring, clock

    async def prove(self, actor: Member, code: str) -> None:
        async with self._app.transaction(actor) as session:
            proven = await step_up(session, actor, code, keyring=self._keyring, now=self._clock.now())
        if isinstance(proven, Refusal):
            raise proven

    async def reload(self, made: MadeMember) -> Member:
        async with self._app.alone() as asking:
            found = await find_member(
                asking, made.token, idle=timedelta(minutes=30), api_idle=timedelta(hours=72), now=self._clock.now()
            )
        assert found is not None
        return found


@pytest.fixture
def factor(app: Database, keyring: Keyring, clock: FixedClock) -> Factor:
    return Factor(app, keyring, clock)


@pytest.mark.rule("A5")
async def test_a_right_code_opens_identity_for_five_minutes_and_no_longer(
    factor: Factor, made: MadeMember, clock: FixedClock
) -> None:
    with pytest.raises(StepUpNeeded):
        require_fresh(await factor.reload(made), clock.now())
    await factor.prove(made.actor, f" {made.totp_code(clock.now())} ")
    clock.advance(timedelta(minutes=5))
    require_fresh(await factor.reload(made), clock.now())
    clock.advance(timedelta(seconds=1))
    with pytest.raises(StepUpNeeded):
        require_fresh(await factor.reload(made), clock.now())


@pytest.mark.rule("A5")
async def test_a_code_counts_once(factor: Factor, made: MadeMember, clock: FixedClock) -> None:
    code = made.totp_code(clock.now())
    await factor.prove(made.actor, code)
    clock.advance(timedelta(seconds=10))
    with pytest.raises(StepUpRefused):
        await factor.prove(made.actor, code)
    clock.advance(timedelta(seconds=30))
    await factor.prove(made.actor, made.totp_code(clock.now()))


@pytest.mark.rule("A5")
async def test_a_code_given_many_times_at_once_counts_once(factor: Factor, made: MadeMember, clock: FixedClock) -> None:
    code = made.totp_code(clock.now())
    results = await asyncio.gather(*(factor.prove(made.actor, code) for _ in range(6)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType"] + ["StepUpRefused"] * 5


@pytest.mark.parametrize("seconds", [-30, 30])
async def test_a_clock_half_a_minute_off_is_forgiven(
    factor: Factor, made: MadeMember, clock: FixedClock, seconds: int
) -> None:
    await factor.prove(made.actor, made.totp_code(clock.now() + timedelta(seconds=seconds)))


@pytest.mark.rule("A5")
@pytest.mark.parametrize("seconds", [-90, 90])
async def test_an_older_or_a_later_code_is_refused(
    factor: Factor, made: MadeMember, clock: FixedClock, seconds: int
) -> None:
    with pytest.raises(StepUpRefused) as caught:
        await factor.prove(made.actor, made.totp_code(clock.now() + timedelta(seconds=seconds)))
    assert caught.value.field == "code"


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "١٢٣٤٥٦", "1" * 5000])
async def test_what_is_no_code_is_refused(factor: Factor, made: MadeMember, code: str) -> None:
    with pytest.raises(StepUpRefused):
        await factor.prove(made.actor, code)


@pytest.mark.rule("A5")
async def test_a_colleagues_code_is_refused_and_another_session_stays_shut(
    owner: Database, keyring: Keyring, factor: Factor, made: MadeMember, clock: FixedClock
) -> None:
    colleague = await make_member(owner, keyring, made.actor.agency_id, now=clock.now())
    with pytest.raises(StepUpRefused):
        await factor.prove(made.actor, colleague.totp_code(clock.now()))
    await factor.prove(colleague.actor, colleague.totp_code(clock.now()))
    assert (await factor.reload(made)).stepped_up_at is None


async def test_without_a_second_factor_set_up_no_code_is_right(
    owner: Database, factor: Factor, made: MadeMember, clock: FixedClock
) -> None:
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("update member_credential set totp_sealed = null where member_id = :id"),
            {"id": made.actor.member_id},
        )
    with pytest.raises(StepUpRefused):
        await factor.prove(made.actor, made.totp_code(clock.now()))


@pytest.mark.rule("P4")
async def test_the_second_factors_secret_is_sealed(owner: Database, made: MadeMember) -> None:
    async with owner.transaction(Operator()) as session:
        sealed = await session.scalar(
            text("select totp_sealed from member_credential where member_id = :id"), {"id": made.actor.member_id}
        )
    assert made.totp_secret.encode() not in sealed


@pytest.mark.rule("A5", "A7")
async def test_six_digits_cannot_be_guessed(factor: Factor, made: MadeMember, clock: FixedClock) -> None:
    for _ in range(FAILURES_MAX):
        with pytest.raises(StepUpRefused):
            await factor.prove(made.actor, "not a code")
    with pytest.raises(TooManyAttempts):
        await factor.prove(made.actor, made.totp_code(clock.now()))
    clock.advance(FAILURES_WITHIN)
    await factor.prove(made.actor, made.totp_code(clock.now()))
