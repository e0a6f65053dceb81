"""Kinds of service: the taxonomy as a tree, with how many services of the directory stand under each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from referralnet.console.pages.deadlines import require_administering
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.directory.taxonomy import tree, use_of_codes
from referralnet.identity.profiles import own_profile

WORDS_LETTERS_MAX = 80


@dataclass(frozen=True, slots=True)
class Term:
    """A kind of service, and the narrower ones below it."""

    code: str
    name: str
    used: int
    below: list[Term]


async def show(request: PageRequest) -> Response:
    """The tree, or what of it is called like the words that were typed."""
    require_administering(request)
    looked_for = request.http.query_params.get("words", "").strip()[:WORDS_LETTERS_MAX]
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        used = await use_of_codes(session)
    terms = _branches(tree(request.language), None, used, looked_for.lower())
    return section_page(request, "kinds.html", profile=profile, terms=terms, looked_for=looked_for)


def _branches(
    below: Mapping[str | None, list[tuple[str, str]]], code: str | None, used: Mapping[str, int], wanted: str
) -> list[Term]:
    """The terms below a code that are called so, or have one below them that is."""
    found = []
    for term, name in below.get(code, ()):
        named = wanted in name.lower() or wanted in term
        narrower = _branches(below, term, used, "" if named else wanted)
        if named or narrower:
            found.append(Term(term, name, used.get(term, 0), narrower))
    return found
