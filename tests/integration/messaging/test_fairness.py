"""One agency's rush: urgent texts first, agencies in turns, and none lost (M12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from referralnet.clock import FixedClock
from referralnet.messaging.looking import send_due
from referralnet.messaging.pacing import Pace
from referralnet.messaging.sending import Sender
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier

SHARE, SURGE, AGENCIES, URGENT_EACH = 6, 7, 4, 2
MORE = """
    insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at, send_before,
      occurrence, state, state_at, created_at)
    select gen_random_uuid(), agency_id, survivor_id, subject_id, kind, case when number <= $3 then 0 else 1 end,
      due_at - number * interval '1 second', due_at - number * interval '1 second', send_before, occurrence, state,
      state_at, created_at
    from text_message, generate_series(1, $2::int) number where subject_id = $1 and kind = 'appointment_set'
"""


@pytest.mark.rule("M12")
async def test_of_a_rush_the_urgent_go_first_agencies_take_turns_and_none_is_lost(
    desk: Desk,
    arrange: Callable[..., Awaitable[Case]],
    sender: Sender,
    carrier: RememberingCarrier,
    clock: FixedClock,
) -> None:
    cases = [await arrange(phone=f"+1773555{number:04d}") for number in range(AGENCIES)]
    surging, *others = (case.phone for case in cases)
    for case in cases:
        await desk.tell(case)
    await desk.plan()
    for case in cases:
        texts = SHARE * (SURGE if case.phone == surging else 1)
        await desk.alter(MORE, case.referral_id, texts, URGENT_EACH)
    await desk.alter("delete from text_message where due_at >= $1", clock.now())

    # The carrier takes fewer a second than there are agencies, and the rush has been waiting for longest.
    paced = replace(sender, pace=Pace(3.0, 3))
    for _ in range(SHARE * (SURGE + AGENCIES - 1) // 3):
        await send_due(paced, first=100, at_once=1)
        clock.advance(timedelta(seconds=1))
    order = [to for to, _, _ in carrier.sent]
    assert Counter(order) == {surging: SHARE * SURGE, **dict.fromkeys(others, SHARE)}, "none lost, none doubled"

    urgent, routine = order[: AGENCIES * URGENT_EACH], order[AGENCIES * URGENT_EACH :]
    assert Counter(urgent) == dict.fromkeys([surging, *others], URGENT_EACH), "all urgent ones before any other"
    in_turns = routine[: AGENCIES * (SHARE - URGENT_EACH)]
    assert Counter(in_turns) == dict.fromkeys([surging, *others], SHARE - URGENT_EACH), "the rush waits its turn"
    for first in range(0, len(in_turns), AGENCIES):
        assert len(set(in_turns[first : first + AGENCIES])) >= AGENCIES - 1, "one after the other"
