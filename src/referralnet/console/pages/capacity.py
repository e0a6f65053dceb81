"""The capacity board: what an agency's own people keep true, by one tap for each unit."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

from starlette.responses import Response

from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.undoing import undo_of_count
from referralnet.directory.capacity import CountChanged, Stated, confirm_capacity, stated
from referralnet.directory.capacity_board import list_unit_counts
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, is_permitted, require
from referralnet.identity.profiles import own_profile

WRONG_COUNT = "Write a whole number, not above what the listing says is there at most."


async def show(request: PageRequest) -> Response:
    """Every unit that is counted, by service; what needs a word first stands first."""
    return await _board(request)


async def keep(request: PageRequest) -> Response:
    """Say how many of one unit are free now."""
    form = await request.form()
    actor, now = request.member, request.now
    require(actor, Permission.KEEP_CAPACITY)
    wanted = form.get("capacity_id", "")
    try:
        capacity_id = UUID(wanted)
        available, seen = _count(form.get("available", "")), _count(form.get("seen", ""))
        async with request.desk.resources.database.transaction(actor) as session:
            before = await stated(session, capacity_id)
            await confirm_capacity(session, actor, capacity_id, available, seen=seen, now=now)
    except CountChanged as refusal:
        return await _board(request, wrong=wanted, why=refusal.message)
    except (InvalidInput, ValueError):
        return await _board(request, wrong=wanted, typed=True)
    undo = undo_of_count(capacity_id, before, Stated(available, now)) if before else None
    return request.go_to(f"/capacity#unit-{wanted}", Told.COUNT_KEPT, undo=undo)


async def _board(
    request: PageRequest, wrong: str | None = None, why: str = WRONG_COUNT, *, typed: bool = False
) -> Response:
    actor = request.member
    require(actor, Permission.KEEP_CAPACITY)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        counts = await list_unit_counts(session, now=request.now)
    services = [
        (name, sorted(units, key=lambda unit: unit.is_fresh))
        for name, units in groupby(counts, key=lambda count: count.service_name)
    ]
    services.sort(key=lambda service: all(unit.is_fresh for unit in service[1]))
    return request.page(
        "capacity.html",
        422 if wrong is not None else 200,
        profile=profile,
        services=services,
        may_keep=is_permitted(actor, Permission.KEEP_LISTING),
        stale=sum(not unit.is_fresh for unit in counts),
        wrong=wrong,
        why=why,
        typed=typed,
    )


def _count(given: str) -> int:
    if not given.strip().isascii() or not given.strip().isdigit():
        raise ValueError
    return int(given)
