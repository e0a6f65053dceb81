"""Arguments for what is asked of a million rows, drawn by chance; and where the deep pages of lists begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.journeys.network import made_id
from benchmarks.made_directory import made_words
from benchmarks.million.making import COLLEAGUES
from referralnet.audit.searching import Position
from referralnet.database.acting import Actor, AgencyKind, Member, Role
from referralnet.directory.places import all_places
from referralnet.directory.taxonomy import _names
from referralnet.referrals.waiting import Deadline
from referralnet.referrals.worklists import Place

NOW = datetime.now(UTC)
PAGE = 50
DEEP = 500
"""The page that stands for all deep ones: of smaller lists, the last but one."""
Call = Callable[[AsyncSession], Awaitable[object]]
_WORDS = made_words()


@dataclass(frozen=True, slots=True)
class Question:
    """`draw` chooses what is asked for this time."""

    name: str
    actor: Actor
    draw: Callable[[Random], Call]


def _member(made_as: str, number: int, *roles: Role) -> Member:
    kind = AgencyKind.VICTIM_SERVICES
    return Member(made_id(made_as, number), made_id("agency", 0), kind, frozenset(roles), made_id("session", 0), None)


# All three of the large agency. The busy one has a fifth of what is given to somebody.
BUSY = _member("colleague", 1, Role.COORDINATOR, Role.INTAKE)
AUDITOR = _member("colleague", COLLEAGUES, Role.AUDITOR)


def word(chance: Random) -> str:
    """A frequent one as often as it is written."""
    return _WORDS[int(len(_WORDS) ** chance.random()) - 1]


def misspelled(chance: Random) -> str:
    """A word with one letter too many."""
    typed = word(chance)
    at = chance.randrange(1, len(typed))
    return typed[:at] + chance.choice("bcdfgklmnprstvx") + typed[at:]


def zip_code(chance: Random) -> str:
    return chance.choice(all_places()).zip_code


def kind(chance: Random) -> str:
    """Of a service, wide or narrow."""
    return chance.choice([code for code in _names()["en"] if "serves" not in code])


@dataclass(frozen=True, slots=True)
class Known:
    """Ids there are, and what stands last before a deep page of each list."""

    organizations: list[UUID]
    services: list[UUID]
    tasks: list[Place]
    own_tasks: list[Place]
    events: list[Position]
    deadlines: list[Deadline]


async def look_around(connection: asyncpg.Connection[asyncpg.Record]) -> Known:
    """Read what is known, as the superuser."""

    async def rows(statement: str, *given: object) -> list[asyncpg.Record]:
        found = await connection.fetch(statement, *given)
        return found[min(PAGE * (DEEP - 1), len(found) * 9 // 10) :]

    agency_id, last = BUSY.agency_id, PAGE * (DEEP + 10)
    tasks = "select due_at, id from task where agency_id = $1 and done_at is null {whose} order by 1, 2"
    events = f"select at, id from audit_event where agency_id = $1 order by 1 desc, 2 desc limit {last}"  # noqa: S608
    deadlines = """select answer_due_at, id from referral where target_agency_id = $1 and status = 'requested'
        order by 1, 2"""
    own_tasks = await rows(tasks.format(whose="and assignee_id = $2"), agency_id, BUSY.member_id)
    return Known(
        [row[0] for row in await connection.fetch("select id from organization order by id limit 1000")],
        [row[0] for row in await rows(f"select id from service order by id limit {last}")],  # noqa: S608
        [Place(*row) for row in await rows(tasks.format(whose=""), agency_id)],
        [Place(*row) for row in own_tasks],
        [Position(*row) for row in await rows(events, agency_id)],
        [Deadline(*row) for row in await rows(deadlines, agency_id)],
    )
