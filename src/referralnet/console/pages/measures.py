"""What survivors gained: counts of a quarter as tables and charts, of which nothing can be worked out (A4)."""

from __future__ import annotations

import re
from datetime import date

from markupsafe import Markup
from starlette.responses import Response

from referralnet.console.charts import bars
from referralnet.console.serving import PageRequest
from referralnet.console.words import Words
from referralnet.errors import NotFound, NotPermitted
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.referrals.measures import QUARTERS_TOLD, Side, Table, measure, sides_of
from referralnet.referrals.quarters import Quarter, quarters_over

SIDES = {
    Side.SENT: "those my agency asked for",
    Side.RECEIVED: "those my agency was asked",
    Side.NETWORK: "all of the network",
}
PHRASES = tuple(SIDES.values())


async def show(request: PageRequest) -> Response:
    """A quarter, by default the last one that is over."""
    actor = request.member
    require(actor, Permission.READ_MEASURES)
    sides, quarters = sides_of(actor), quarters_over(request.now, QUARTERS_TOLD)
    if not sides:
        raise NotPermitted
    side, quarter = _asked(request, sides), _quarter(request, quarters)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        found = await measure(session, actor, side, quarter, now=request.now)
    words = Words(request.language)
    tables = {"fates": found.fates, "visits": found.visits, "reasons": found.reasons}
    return request.page(
        "measures.html", profile=profile, measures=found, side=side, sides=sides, side_names=SIDES, quarter=quarter,
        quarters=quarters, charts={name: _chart(table, words) for name, table in tables.items()},
        kind_name=words.category, month_name=lambda code: words.month(date.fromisoformat(f"{code}-01")),
    )  # fmt: skip


def _chart(table: Table, words: Words) -> Markup:
    told = [(words.plain(column), count) for column in table.columns if (count := table.all.counts[column]) is not None]
    return bars([(name[:1].upper() + name[1:], count) for name, count in told])


def _asked(request: PageRequest, sides: list[Side]) -> Side:
    given = request.http.query_params.get("side", sides[0])
    if given not in sides:
        raise NotFound
    return Side(given)


def _quarter(request: PageRequest, quarters: list[Quarter]) -> Quarter:
    found = re.fullmatch(r"(\d{4})-([1-4])", request.http.query_params.get("quarter", ""))
    asked = Quarter(int(found[1]), int(found[2])) if found else quarters[0]
    if asked not in quarters:
        raise NotFound
    return asked
