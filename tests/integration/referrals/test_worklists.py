"""Through any history, an open referral is one task of the party it waits for; an ended one is nobody's wait."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from referralnet.appointments.scheduling import NoBookedAppointment
from referralnet.appointments.tables import Mode
from referralnet.consent.ending import Via
from referralnet.consent.refusals import ReleaseWithdrawn
from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals import answering, visiting, withdrawing
from referralnet.referrals.ladder import climb
from referralnet.referrals.lifecycle import ENDS, IllegalTransition, Outcome, Party, RejectReason, Status
from referralnet.referrals.policy import WAITS_FOR
from referralnet.referrals.reading import referral
from tests.factories.referrals import Network, Sent, Tasks, make_network, present, run, send

Act = Callable[[], Awaitable[Any]]


def acts(databases: dict[str, Database], network: Network, made: Sent) -> list[Act]:
    """Everything that anybody can do to a referral."""
    app, shelter, source = databases["app"], network.intake, network.coordinator
    visit = {
        "local_start": (present() + timedelta(days=9)).replace(hour=12, tzinfo=None),
        "time_zone": "America/Chicago",
        "duration_minutes": 30,
        "mode": Mode.VIDEO,
    }

    async def clock() -> None:
        async with databases["worker"].transaction(Custodian(source.agency_id)) as session:
            await climb(session, made.id, present() + timedelta(days=1))

    def targets(act: Callable[..., Awaitable[Any]], **more: Any) -> Act:
        return lambda: run(app, shelter, act, made.id, now=present(), **more)

    return [
        targets(answering.accept),
        targets(answering.accept),
        targets(answering.waitlist),
        targets(answering.reject, reason=RejectReason.COULD_NOT_CONTACT),
        targets(answering.complete, outcome=Outcome.REFERRED_ELSEWHERE),
        targets(answering.confirm_cancellation),
        targets(visiting.schedule_visit, **visit),
        targets(visiting.reschedule_visit, **visit),
        targets(visiting.cancel_visit),
        targets(visiting.mark_attended),
        targets(visiting.mark_no_show),
        lambda: run(app, source, withdrawing.withdraw_referral, made.id, now=present()),
        lambda: run(app, source, withdrawing.mark_entered_in_error, made.id, now=present()),
        lambda: run(app, source, withdrawing.withdraw_consent, release_id=made.release_id, via=Via.ORAL, now=present()),
        clock,
    ]


async def check(app: Database, network: Network, referral_id: UUID, open_tasks: Tasks) -> Status:
    row = await run(app, network.coordinator, referral, referral_id)
    kinds = {kind for _, kind in WAITS_FOR.values()}
    waiting = {(agency, kind) for agency, kind in await open_tasks(referral_id) if kind in kinds}
    if row.status in ENDS:
        assert waiting == set(), f"{row.status} waits for nobody"
        assert not row.holds_unit
    else:
        party, kind = WAITS_FOR[row.status]
        owner = network.intake if party is Party.TARGET else network.coordinator
        assert waiting == {(owner.agency_id, kind)}, f"{row.status} is one task"
    return row.status


@pytest.mark.slow
@pytest.mark.rule("R6")
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_an_open_referral_is_one_task_and_an_end_holds_no_bed(
    databases: dict[str, Database], keyring: Keyring, open_tasks: Tasks, seed: int
) -> None:
    chance = random.Random(seed)
    network = await make_network(databases["owner"], beds=3)
    for _ in range(4):
        made = await send(databases["app"], network, keyring, now=present())
        possible = acts(databases, network, made)
        ended: Status | None = None
        for _ in range(12):
            with contextlib.suppress(IllegalTransition, NoBookedAppointment, ReleaseWithdrawn):
                await chance.choice(possible)()
            status = await check(databases["app"], network, made.id, open_tasks)
            assert ended in {None, status}, "what has ended stays ended"
            ended = status if status in ENDS else None
