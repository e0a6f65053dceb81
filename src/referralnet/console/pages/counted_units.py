"""What a service counts, such as beds: one thing more, or one that is no longer counted. The rest stands as it is."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.pages.own_listings import asked_for, perform_or_tell, version
from referralnet.console.reading_forms import CHOOSE_ONE, number
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.directory.listing_change import CountedUnit, ListingChange, StandingUnit
from referralnet.directory.listing_reading import read_listing
from referralnet.directory.listings import update_listing
from referralnet.errors import InvalidInput

HELD = "A unit that is left out is held by an accepted referral."
TOO_MANY = "Write whole numbers; what is free is not more than there is at most."
PHRASES = (HELD, TOO_MANY)


async def count(request: PageRequest) -> Response:
    """Count one thing more, or one fewer; nobody's count is written over by it."""
    form = await request.form()
    stops = form.get("act") == "stop"

    async def act(session: AsyncSession, actor: Member) -> UUID:
        listing = await read_listing(session, asked_for(request), now=request.now)
        counted = [unit.count.unit.strip().lower() for unit in listing.capacity]
        unit = form.get("unit", "")
        if (unit in counted) is not stops:
            raise InvalidInput(field="unit", detail=CHOOSE_ONE)
        stand = (StandingUnit(one) for one in counted if one != unit)
        change = ListingChange(capacity=(*stand, *([] if stops else [_counted(form, unit)])))
        return await update_listing(session, actor, listing.service_id, change, version=version(form), now=request.now)

    then = Told.UNIT_NOT_COUNTED if stops else Told.UNIT_COUNTED
    return await perform_or_tell(request, act, then, {"capacity": ""})


def _counted(form: Form, unit: str) -> CountedUnit:
    maximum = number(form, "maximum") if form.words("maximum") else None
    available = number(form, "available")
    if maximum is not None and available > maximum:
        raise InvalidInput(field="available", detail=TOO_MANY)
    return CountedUnit(unit, available, maximum)
