"""Records of two packages that may be one: side by side, until somebody says whether they are. Nothing is merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.performing import perform
from referralnet.console.reading_forms import CHOOSE_ONE
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.words import Words, most_exact, telephone
from referralnet.database.acting import Member
from referralnet.directory.duplicate_decisions import DuplicateDecided, decide_duplicate
from referralnet.directory.duplicate_reading import PairInFull, read_duplicate
from referralnet.directory.duplicates import list_duplicates
from referralnet.directory.search import DirectoryHit
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile

LISTED_MAX = 50
ANSWERS = {"same": Told.ARE_ONE, "two": Told.ARE_TWO}
_DECIDE = Permission.DECIDE_DUPLICATES
_HERE = "/administer/duplicates"
PHRASES = (
    "Organization", "Its services", "What it does", "Phone", "Where", "Languages", "Kind", "Who may come",
    "How to get in",
)  # fmt: skip
"""What is compared, in this order."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that both records say or leave out."""

    name: str
    first: Sequence[str]
    second: Sequence[str]

    @property
    def agrees(self) -> str:
        """Whether both say the same, in part the same, each something else, or one of them nothing."""
        first, second = set(self.first), set(self.second)
        if not first or not second:
            return "one_sided"
        if first == second:
            return "same"
        return "part" if first & second else "other"


async def show(request: PageRequest) -> Response:
    """Pairs that nobody has decided, the likeliest first."""
    return await _list(request)


async def show_one(request: PageRequest) -> Response:
    """One pair side by side."""
    return await _page(request)


async def decide(request: PageRequest) -> Response:
    """Keep whether the two are one."""
    form = await request.form()
    answer = form.get("answer", "")
    first_id, second_id = _asked(request)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        if answer not in ANSWERS:
            raise InvalidInput(field="answer", detail=CHOOSE_ONE)
        return await decide_duplicate(session, actor, first_id, second_id, same=answer == "same", now=request.now)

    try:
        await perform(request, _DECIDE, act)
    except DuplicateDecided as refusal:
        return await _list(request, {"": request.errors(refusal)["first_id"]})
    except InvalidInput as refusal:
        return await _page(request, request.errors(refusal))
    return request.go_to(_HERE, ANSWERS[answer])


async def _list(request: PageRequest, wrong: Mapping[str, str] | None = None) -> Response:
    require(request.member, _DECIDE)
    async with request.transaction() as session:
        profile = await own_profile(session, request.member)
        pairs = await list_duplicates(session, first=LISTED_MAX)
    status = 422 if wrong else 200
    return section_page(request, "duplicates.html", status, profile=profile, pairs=pairs, wrong=wrong or {})


async def _page(request: PageRequest, wrong: Mapping[str, str] | None = None) -> Response:
    first_id, second_id = _asked(request)
    async with request.transaction() as session:
        profile = await own_profile(session, request.member)
        found = await read_duplicate(session, request.member, first_id, second_id, now=request.now)
    return section_page(
        request, "duplicate.html", 422 if wrong else 200, profile=profile, pair=found.pair, here=request.http.url.path,
        facts=_facts(Words(request.language), found), wrong=wrong or {},
        listed=[[hit.service_at_location_id for hit in side] for side in (found.first, found.second)],
    )  # fmt: skip


def _facts(words: Words, found: PairInFull) -> list[Fact]:
    """What the directory says of both, without what neither of them says or the pair's own names say already."""
    reads: list[Callable[[DirectoryHit], Iterable[str | None]]] = [
        lambda hit: () if found.pair.kind == "organization" else (hit.organization_name,),
        lambda hit: () if found.pair.kind == "service" else (hit.service_name,),
        lambda hit: () if found.pair.kind != "service" else (hit.description,),
        lambda hit: (hit.phone and telephone(hit.phone),),
        lambda hit: (_where(hit),),
        lambda hit: map(words.language_name, hit.languages),
        lambda hit: map(words.category, most_exact(hit.categories)),
        lambda hit: () if found.pair.kind != "service" else (hit.eligibility_description,),
        lambda hit: () if found.pair.kind != "service" else (hit.application_process,),
    ]
    facts = [
        Fact(name, _each(found.first, read), _each(found.second, read))
        for name, read in zip(PHRASES, reads, strict=True)
    ]
    return [fact for fact in facts if fact.first or fact.second]


def _each(hits: Sequence[DirectoryHit], read: Callable[[DirectoryHit], Iterable[str | None]]) -> list[str]:
    """Everything that is said in any of the entries, once."""
    return list(dict.fromkeys(said for hit in hits for said in read(hit) if said))


def _where(hit: DirectoryHit) -> str | None:
    """The public address; of a place that is kept secret the area alone."""
    place = hit.address
    if place is None:
        return hit.area
    return ", ".join(filter(None, (place.address_1, place.city, place.state_province, place.postal_code)))


def _asked(request: PageRequest) -> tuple[UUID, UUID]:
    given = request.http.path_params
    return given["first"], given["second"]
