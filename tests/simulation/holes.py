"""Holes in the sending of texts, as data: each is planted in a simulated network, and the oracle must find it.

`patched` is put in the place of what it names; `sql` is done to the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Any

from sqlalchemy import text, update

from referralnet.messaging import outbox
from referralnet.messaging.sending import Outcome
from referralnet.messaging.tables import TextMessage
from referralnet.messaging.windows import Slot
from tests.simulation.carrier import CONDUCTS
from tests.simulation.weeks import Step, Week
from tests.simulation.world import QUICK

Makes = Callable[[Any], Any]
"""From what is there to what is put in its place."""


@dataclass(frozen=True)
class Hole:
    """What is broken, by which rule it is to be found, and in which days; without it nothing is found in them.

    `first_visits` is the seed of the visits that a week begins with, `days` go by after the last step.
    """

    rule: str
    patched: dict[str, Makes]
    steps: tuple[Step, ...]
    pace: int = 0
    first_visits: int = 4
    released_for: int = 60
    days: int = 1
    sql: str = "select 1"

    @property
    def week(self) -> Week:
        """The days in which it is to be found."""
        return Week(
            start=0, pace=self.pace, seed=self.first_visits, reconfirm_after=(30,) * 5,
            released_for=(self.released_for,) * 5, steps=self.steps, days=self.days,
        )  # fmt: skip


def value(of: Any) -> Makes:
    return lambda _original: of


def answers(of: Any) -> Makes:
    return lambda _original: lambda *_, **__: of


def does_nothing(_original: Any) -> Any:
    async def nothing(*_: object, **__: object) -> int:
        return 0

    return nothing


def any_hour(_original: Any) -> Any:
    return lambda _windows, _zone, *, since, until: Slot(since, until)


def always_open(_original: Any) -> Any:
    return lambda _windows, _zone, now, until: Slot(now, until)


def sent_again(_original: Any) -> Any:
    """A text of which nothing is known is tried once more."""

    async def unknown(sender: Any, session: Any, claim: Any) -> Outcome:
        await outbox.come_again(session, claim, retry_after_seconds=0, now=sender.clock.now())
        return Outcome.BUSY

    return unknown


def claimed_again(_original: Any) -> Any:
    """A claim whose worker is gone is anybody's again."""

    async def give_up(session: Any, text_id: Any, **_: object) -> bool:
        free = update(TextMessage).where(TextMessage.id == text_id, TextMessage.state == "claimed")
        await session.execute(free.values(state="scheduled", lease_until=None))
        return True

    return give_up


def until_tomorrow(original: Any) -> Any:
    """The carrier may go on trying when her hours are over."""

    def slot_now(windows: Any, zone: Any, now: Any, until: Any) -> Slot | None:
        slot = original(windows, zone, now, until)
        return None if slot is None else replace(slot, send_before=slot.send_before + timedelta(hours=6))

    return slot_now


def without_reminders(original: Any) -> Any:
    def texts_due(message: Any, *more: Any) -> Any:
        due, gone = original(message, *more)
        return [one for one in due if one.message is message], gone

    return texts_due


def on_the_clock_of(zone: str) -> Makes:
    """The hour is that of another clock."""
    return lambda original: (
        lambda message, language, occasion=None: original(
            message, language, None if occasion is None else replace(occasion, time_zone=zone)
        )
    )


def says_who(original: Any) -> Any:
    return lambda *arguments, **named: original(*arguments, **named) + " Ana"


def tells_no(silenced: str) -> Makes:
    """Nobody is told of one kind of thing."""

    def make(original: Any) -> Any:
        async def open_task(session: Any, *, kind: str, **named: Any) -> None:
            if kind != silenced:
                await original(session, kind=kind, **named)

        return open_task

    return make


def only_what_is_unknown(_original: Any) -> Any:
    return lambda present, _reported: present == "unknown"


def takes_all(_original: Any) -> Any:
    return lambda _self, spent_until, wanted, _now: (len(wanted), spent_until)


def starts_by_itself(_original: Any) -> Any:
    """Whoever holds the phone writes START, and texts go on."""

    async def goes_on(session: Any, plan_id: Any) -> None:
        ended = "update contact_plan set paused_at = null, paused_reason = null where id = :id"
        await session.execute(text(ended), {"id": plan_id})

    return goes_on


def step(what: str, who: int = 0, pick: int = 0, minutes: int = 5) -> Step:
    return Step(what, who, pick, minutes)


def carrier(conduct: str, minutes: int = 60) -> Step:
    return Step("carrier", 0, CONDUCTS.index(conduct), minutes)


SOON = (step("news"),)
"""Workers look, and send what may go at once."""
SENDS = QUICK.index("send_texts")
DYING = (
    *SOON,
    carrier("never calls back", 0),
    *(one for at in range(11, 29) for one in (step("die", SENDS, at, 0), step("visit", pick=13, minutes=15))),
)
"""She is told of one moved visit after the other, by workers that die on the way."""
MESSAGING, SWEEP = "referralnet.messaging", "referralnet.jobs.sweep_leases"
HOLES: dict[str, Hole] = {
    "her hours are asked for by nobody": Hole(
        "M2",
        {f"{MESSAGING}.planning.next_slot": any_hour, f"{MESSAGING}.claiming.slot_now": always_open},
        SOON,
    ),
    "the quiet hours of the law are forgotten": Hole(
        "M2",
        {f"{MESSAGING}.windows.EARLIEST": value(time(0)), f"{MESSAGING}.windows.LATEST": value(time(23, 59))},
        (step("news", minutes=1440),),
        first_visits=1,
    ),
    "the carrier may deliver when her hours are over": Hole(
        "M2", {f"{MESSAGING}.claiming.slot_now": until_tomorrow}, SOON
    ),
    "the carrier counts from when it was asked, not from when it has the text": Hole(
        "M2", {f"{MESSAGING}.sending._call_ends_by": value(lambda _sender, now: now)}, SOON
    ),
    "consent, pause and STOP are not asked for again": Hole(
        "M1",
        {f"{MESSAGING}.permission.why_not_at_all": answers(None), f"{MESSAGING}.inbound.cancel_texts": does_nothing},
        (*SOON, step("write", minutes=2 * 1440)),
    ),
    "a moved visit leaves its texts": Hole(
        "M9", {}, (*SOON, step("visit", pick=1)), sql="drop trigger supersede_texts on notice"
    ),
    "what nobody answered for is sent again": Hole(
        "M5", {f"{MESSAGING}.sending._unknown": sent_again}, (carrier("reset after taking"),)
    ),
    "a dead worker's text is sent again": Hole("M5", {f"{SWEEP}.give_up_lease": claimed_again}, DYING),
    "a dead worker's text stays with it": Hole("M5", {f"{SWEEP}.give_up_lease": does_nothing}, DYING),
    "nobody is told that nobody knows": Hole(
        "M5", {f"{MESSAGING}.outbox.open_task": tells_no("text_unsettled")}, (carrier("silent", 180),)
    ),
    "nobody is told of what could not be sent": Hole(
        "M5", {f"{MESSAGING}.scheduling.open_task": tells_no("survivor_not_texted")}, SOON
    ),
    "a visit has no reminder": Hole("M5", {f"{MESSAGING}.planning.texts_due": without_reminders}, SOON, days=6),
    "the last report wins": Hole(
        "M7", {f"{MESSAGING}.callbacks.moves_forward": answers(True)}, (carrier("calls back twice, and in reverse"),)
    ),
    "the first report wins": Hole("M7", {f"{MESSAGING}.callbacks.moves_forward": only_what_is_unknown}, SOON),
    "an opt-out at the carrier is not kept": Hole(
        "M1",
        {f"{MESSAGING}.sending.opts_out": answers(False), f"{MESSAGING}.callbacks.opts_out": answers(False)},
        (carrier("opted out"), step("well"), step("visit", pick=1)),
    ),
    "START by anybody begins texts again": Hole(
        "M1",
        {f"{MESSAGING}.inbound._leave_to_staff": starts_by_itself},
        (*SOON, step("write"), step("write", pick=2), step("visit", pick=1)),
    ),
    "nobody reads that she feels unsafe": Hole(
        "M4", {f"{MESSAGING}.inbound.open_task": tells_no("survivor_unsafe")}, (step("write", pick=5),)
    ),
    "the rate is not kept": Hole(
        "M12",
        {f"{MESSAGING}.pacing.Pace.allows": takes_all},
        (*SOON, *[step("visit", pick=1, minutes=0)] * 12),
        pace=1,
    ),
    "what is urgent waits in line": Hole(
        "M12",
        {f"{MESSAGING}.scheduling.PRIORITY": value({})},
        (step("plan", 2, 7, 1), step("visit", 1, 13, 1), step("down", minutes=570), *SOON),
    ),
    "the hour is that of a capital": Hole(
        "M13", {f"{MESSAGING}.claiming.render": on_the_clock_of("America/New_York")}, SOON
    ),
    "a text says who she is": Hole("M3", {f"{MESSAGING}.claiming.render": says_who}, SOON),
    "numbers and words are kept for good": Hole(
        "M10", {"referralnet.jobs.erase_texts.erase_here": does_nothing}, SOON, days=5
    ),
    "a release that has run out is in force": Hole(
        "C4",
        {"referralnet.jobs.expire_releases.expire_release": does_nothing},
        SOON,
        first_visits=5,
        released_for=2,
        days=4,
        sql="create or replace function is_live(candidate release) returns boolean language sql stable as"
        " $$ select candidate.status = 'active' $$",
    ),
}
