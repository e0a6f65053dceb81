"""The project's own taxonomy of victim services, and what words typed into the search box mean."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.published import path

TAXONOMY_PACKAGE = "referralnet-taxonomy"
_WHO_IS_SERVED = "who_is_served"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase asks for: a "category" or a "language" with its code, "takes_children" or "available_tonight"."""

    kind: str
    code: str


async def shared_terms(session: AsyncSession) -> dict[str, UUID]:
    """Terms of the project's taxonomy by the id they have in its CSV and, the English ones, by their code."""
    rows = await session.execute(
        text("select source_id, code, language, id from taxonomy_term where package = :package and gone_at is null"),
        {"package": TAXONOMY_PACKAGE},
    )
    terms: dict[str, UUID] = {}
    for source_id, code, language, term_id in rows:
        terms[source_id] = term_id
        if code and language == "en":
            terms[code] = term_id
    return terms


@lru_cache(maxsize=1)
def meanings() -> dict[str, Meaning]:
    """Phrases in lower case, from synonyms.csv and from the names of the terms themselves; synonyms win."""
    known: dict[str, Meaning] = {}
    for row in _rows("taxonomy_terms.csv"):
        known[row["name"].lower()] = Meaning("category", row["code"])
    for row in _rows("synonyms.csv"):
        known[row["phrase"].lower()] = Meaning(row["meaning"], row["code"])
    return known


@lru_cache(maxsize=1)
def _parents() -> dict[str, str]:
    """Code of a term to the code of the one above it."""
    rows = [row for row in _rows("taxonomy_terms.csv") if row["language"] == "en"]
    codes = {row["id"]: row["code"] for row in rows}
    return {row["code"]: codes[row["parent_id"]] for row in rows if row["parent_id"]}


def above(code: str) -> set[str]:
    """The codes of every term above one, e.g. ``{"immigration_legal", "legal"}`` for "t_visa"."""
    codes = set()
    while (parent := _parents().get(code)) is not None:
        codes.add(parent)
        code = parent
    return codes


@lru_cache(maxsize=1)
def widest() -> dict[str, str]:
    """The uppermost code over each code of ours that stands below another, e.g. "t_visa" to "legal"."""
    return {code: next(top for top in above(code) if top not in _parents()) for code in _parents()}


def tree(language: str) -> dict[str | None, list[tuple[str, str]]]:
    """The codes right below each code, and at None the uppermost ones, with their names in a language, by name."""
    parents, below = _parents(), dict[str | None, list[tuple[str, str]]]()
    for code in _names()["en"]:
        below.setdefault(parents.get(code), []).append((code, name_of(code, language) or code))
    return {code: sorted(terms, key=lambda term: term[1].lower()) for code, terms in below.items()}


async def use_of_codes(session: AsyncSession) -> dict[str, int]:
    """How many listed services stand under each code, those under a narrower one included."""
    counted = text("select code, count(*) as used from directory_listing, unnest(categories) code group by code")
    return {row.code: row.used for row in await session.execute(counted)}


def one_level_below(codes: tuple[str, ...]) -> list[str]:
    """The codes right below these; below a leaf itself; the uppermost ones where none is given."""
    parents = _parents()
    if not codes:
        return sorted(code for code in _names()["en"] if code not in parents)
    return sorted({code for code, parent in parents.items() if parent in codes} | {*codes})


def name_of(code: str, language: str) -> str | None:
    """What a term is called in a language (English where it has no name in that one), or None for no term of ours."""
    names = _names()
    return names.get(language, {}).get(code) or names["en"].get(code)


@lru_cache(maxsize=1)
def _names() -> dict[str, dict[str, str]]:
    names: dict[str, dict[str, str]] = {"en": {}}
    for row in _rows("taxonomy_terms.csv"):
        names.setdefault(row["language"], {})[row["code"]] = row["name"]
    return names


def _rows(name: str) -> list[dict[str, str]]:
    with path("providers", "taxonomy", name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def kinds_of_service() -> list[tuple[str, list[str]]]:
    """Every kind of service by code: the uppermost ones, each with all that stand below it; not whom services serve."""
    parents = _parents()
    tops = [code for code in _names()["en"] if code not in parents and code != _WHO_IS_SERVED]
    return [(top, [code for code in parents if top in above(code)]) for top in tops]
