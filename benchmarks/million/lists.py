"""What is asked of the lists of a large agency: worklists, referrals, the trail; first pages and deep ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

from benchmarks.journeys.network import made_id
from benchmarks.million.drawing import AUDITOR, BUSY, DEEP, NOW, PAGE, Call, Known, Question
from benchmarks.million.making import COLLEAGUES
from referralnet.audit.recording import Action
from referralnet.audit.searching import Position, TrailSearch, search_trail, trail_state
from referralnet.console.trail_search import KINDS, PRESETS, read_asked
from referralnet.identity.task_kinds import TASK_KINDS
from referralnet.referrals import reading, waiting
from referralnet.referrals.marks import mark_of_worklist
from referralnet.referrals.worklists import Place, Worklist, counts, worklist

_KINDS = tuple(kind for kind in TASK_KINDS if kind not in {"answer_referral", "answer_reminder"})


def worklists(known: Known) -> Iterator[Question]:
    """Every list by its first page and a deep one, what the home page counts, and referrals."""
    places = {Worklist.MINE: known.own_tasks}
    for which in Worklist:
        deep = places.get(which, known.tasks)
        yield Question(f"worklist: {which}", BUSY, lambda _, which=which: _page(which, None))  # type: ignore[misc]
        yield Question(
            f"worklist, page {DEEP}: {which}",
            BUSY,
            lambda chance, which=which, deep=deep: _page(which, chance.choice(deep)),  # type: ignore[misc]
        )
    yield Question(
        "worklist: a kind", BUSY,
        lambda chance: lambda session: worklist(session, BUSY, now=NOW, kinds=(chance.choice(_KINDS),)),
    )  # fmt: skip
    yield Question("worklists counted", BUSY, lambda _: lambda session: counts(session, BUSY, now=NOW))
    yield Question(
        "worklists counted, by kinds", BUSY, lambda _: lambda session: counts(session, BUSY, now=NOW, kinds=_KINDS)
    )
    yield Question("worklists: has anything changed", BUSY, lambda _: lambda session: mark_of_worklist(session, BUSY))
    yield Question("referrals to answer", BUSY, lambda _: lambda session: waiting.to_answer(session, BUSY, first=PAGE))
    yield Question(
        f"referrals to answer, page {DEEP}", BUSY,
        lambda chance: lambda session: waiting.to_answer(
            session, BUSY, first=PAGE, after=chance.choice(known.deadlines)
        ),
    )  # fmt: skip
    yield Question(
        "referrals to answer, counted", BUSY, lambda _: lambda session: waiting.count_to_answer(session, BUSY)
    )
    yield Question("referrals under way", BUSY, lambda _: lambda session: waiting.under_way(session, BUSY, first=PAGE))
    yield Question("referrals received", BUSY, lambda _: lambda session: reading.inbox(session, BUSY, first=PAGE))
    yield Question("referrals sent", BUSY, lambda _: lambda session: reading.sent(session, BUSY, first=PAGE))


def _page(which: Worklist, after: Place | None) -> Call:
    return lambda session: worklist(session, BUSY, which, now=NOW, first=PAGE, after=after)


def trail(known: Known) -> Iterator[Question]:
    """By act, by group of acts as the console has them, by member, by day, by kind of thing; and how it stands."""
    yield Question("trail", AUDITOR, lambda _: _trail(TrailSearch()))
    yield Question(f"trail, page {DEEP}", AUDITOR, lambda chance: _trail(TrailSearch(), chance.choice(known.events)))
    yield Question("trail: an act", AUDITOR, lambda chance: _trail(TrailSearch(actions=(chance.choice(list(Action)),))))
    yield Question("trail: a group of acts", AUDITOR, lambda chance: _trail(_preset(chance)))
    yield Question(
        f"trail, page {DEEP}: a group of acts",
        AUDITOR,
        lambda chance: _trail(_preset(chance), chance.choice(known.events)),
    )
    yield Question("trail: a member", AUDITOR, lambda chance: _trail(TrailSearch(member_id=_colleague(chance))))
    yield Question(
        "trail: a member and an act", AUDITOR,
        lambda chance: _trail(TrailSearch(member_id=_colleague(chance), actions=(chance.choice(list(Action)),))),
    )  # fmt: skip
    yield Question(
        "trail: a member and a group", AUDITOR, lambda chance: _trail(_preset(chance, who=str(_colleague(chance))))
    )
    yield Question("trail: a day", AUDITOR, lambda chance: _trail(_day(chance)))
    yield Question("trail: a day and a group", AUDITOR, lambda chance: _trail(_preset(chance, **_date(chance))))
    yield Question(
        "trail: a kind of thing", AUDITOR, lambda chance: _trail(TrailSearch(subject_kind=chance.choice(KINDS)))
    )
    yield Question(
        "trail: a thing", AUDITOR,
        lambda chance: _trail(TrailSearch(subject_id=made_id("referral", chance.randrange(1_000)))),
    )  # fmt: skip
    yield Question("trail: how it stands", AUDITOR, lambda _: trail_state)


def _preset(chance: Random, **given: str) -> TrailSearch:
    return read_asked({"what": chance.choice(list(PRESETS)[1:]), **given}, "UTC").search


def _colleague(chance: Random) -> object:
    return made_id("colleague", chance.randint(1, COLLEAGUES))


def _date(chance: Random) -> dict[str, str]:
    day = (NOW - timedelta(days=chance.randrange(700))).date().isoformat()
    return {"since": day, "until": day}


def _day(chance: Random) -> TrailSearch:
    return read_asked(_date(chance), "UTC").search


def _trail(wanted: TrailSearch, after: Position | None = None) -> Call:
    return lambda session: search_trail(session, wanted, after=after, first=PAGE + 1)
