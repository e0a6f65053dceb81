"""The directory: look for a service, by words, place and what narrows; each found one says why it is there."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from referralnet.console.searching import MILES, PAGE_SIZE, Asked, read_asked
from referralnet.console.serving import PageRequest
from referralnet.directory.places import UnknownZip
from referralnet.directory.search import DirectoryHit, search
from referralnet.directory.search_facets import FacetCount, Facets, search_facets
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile

NARROWS = {
    "category": ("category",),
    "area": ("county", "state"),
    "cost": ("cost",),
    "access": ("access",),
    "gender": ("gender",),
}
"""What narrows a search, with the kinds of counts it is made of."""
SHOWN_MAX = 12
_UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Choice:
    """One code that narrows, how many are left then, and the address with it chosen, or no longer."""

    code: str
    count: int | None
    is_chosen: bool
    address: str


async def show(request: PageRequest) -> Response:
    """The form with what it found."""
    actor = request.member
    require(actor, Permission.SEARCH_DIRECTORY)
    asked = read_asked(request.http.query_params)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        try:
            hits = await search(session, asked.question(request.now), now=request.now)
        except UnknownZip as refusal:
            asked = asked.without(refusal)
            hits = await search(session, asked.question(request.now), now=request.now)
        facets = await search_facets(session, asked.question(request.now), now=request.now, language=request.language)
    return request.page(
        "directory.html",
        422 if asked.wrong else 200,
        profile=profile,
        asked=asked,
        hits=hits,
        facets=facets,
        miles=MILES,
        spoken=_spoken(asked, facets),
        narrows={kind: _choices(kind, asked, facets) for kind in NARROWS},
        next_page=_next_page(asked, hits),
    )


def _choices(kind: str, asked: Asked, facets: Facets) -> list[Choice]:
    chosen = asked.chosen.get(kind, ())
    counted = [row for counts in NARROWS[kind] for row in facets.counts.get(counts, ()) if row.code != _UNSAID]
    shown = [row for row in counted if row.code in chosen or row.count < facets.total or kind == "category"][:SHOWN_MAX]
    gone = [code for code in chosen if code not in {row.code for row in shown}]
    rows = [*(FacetCount(code, None, 0) for code in gone), *shown]
    return [
        Choice(row.code, row.count or None, row.code in chosen, asked.toggled(kind, row.code).address()) for row in rows
    ]


def _spoken(asked: Asked, facets: Facets) -> list[str]:
    codes = [row.code for row in facets.counts.get("language", ()) if row.code != _UNSAID]
    return codes if not asked.language or asked.language in codes else [asked.language, *codes]


def _next_page(asked: Asked, hits: list[DirectoryHit]) -> str | None:
    return asked.page_after(hits[-1].position).address() if len(hits) == PAGE_SIZE else None
