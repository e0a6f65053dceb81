"""Which records of this custody answer to names, a number or a birth date, best first, and by what. No identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.keyring import Keyring
from referralnet.survivors.name_words import familiar, sound
from referralnet.survivors.search_keys import SearchHasher, SearchKind, Traits, label_value


class Reason(StrEnum):
    """Why a record is there."""

    PHONE = "phone"
    CASE_LABEL = "case_label"
    BIRTH_DATE = "birth_date"
    BIRTH_DATE_NEAR = "birth_date_near"
    NAME = "name"
    FAMILIAR_NAME = "familiar_name"
    SIMILAR_NAME = "similar_name"


# What each reason weighs: a number is one person's, a sound is many people's.
WEIGHTS = {
    Reason.PHONE: 12,
    Reason.CASE_LABEL: 12,
    Reason.BIRTH_DATE: 6,
    Reason.NAME: 4,
    Reason.BIRTH_DATE_NEAR: 3,
    Reason.FAMILIAR_NAME: 3,
    Reason.SIMILAR_NAME: 2,
}
NAME_REASONS = (Reason.NAME, Reason.FAMILIAR_NAME, Reason.SIMILAR_NAME)


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A record, its weight, and of how many of the asked words a name answers, roughly and to the letter."""

    survivor_id: UUID
    weight: int
    reasons: tuple[Reason, ...]
    words_found: int
    words_found_surely: int


_FIND = text("""
    with asked as (
      select * from unnest(cast(:kinds as text[]), cast(:hashes as bytea[]), cast(:terms as integer[]),
        cast(:weights as integer[]), cast(:reasons as text[])) as asked (kind, hash, term, weight, reason)
    ), best as (
      select distinct on (found.survivor_id, asked.term) found.survivor_id, asked.weight, asked.reason
      from asked join survivor_search_key found on found.kind = asked.kind and found.hash = asked.hash
      order by found.survivor_id, asked.term, asked.weight desc
    ), records as (
      select survivor_id, sum(weight) as weight, array_agg(distinct reason) as reasons,
        count(*) filter (where reason in ('name', 'familiar_name', 'similar_name')) as words_found,
        count(*) filter (where reason in ('name', 'familiar_name')) as words_found_surely
      from best group by survivor_id
    )
    select coalesce(folded.survivor_id, records.survivor_id) as survivor_id, weight, reasons, words_found,
      words_found_surely
    from records left join survivor_likeness folded
      on folded.other_id = records.survivor_id and folded.decision = 'same' and folded.undone_at is null
    order by weight desc, survivor_id limit :first
""")


async def find_resembling(
    session: AsyncSession, keyring: Keyring, agency_id: UUID, traits: Traits, *, first: int
) -> list[Resemblance]:
    """The records of this custody that answer to any of the traits, heaviest first; one statement.

    A record that was found to be the same person as another is told as that other.
    """
    asked = list(_asked(SearchHasher(keyring, agency_id), traits))
    if not asked:
        return []
    parameters = {
        "kinds": [kind for kind, _, _, _ in asked],
        "hashes": [hashed for _, hashed, _, _ in asked],
        "terms": [term for _, _, term, _ in asked],
        "weights": [WEIGHTS[reason] for _, _, _, reason in asked],
        "reasons": [reason for _, _, _, reason in asked],
        "first": first,
    }
    found: dict[UUID, Resemblance] = {}
    for row in await session.execute(_FIND, parameters):
        reasons = tuple(sorted((Reason(reason) for reason in row.reasons), key=lambda reason: -WEIGHTS[reason]))
        one = Resemblance(row.survivor_id, row.weight, reasons, row.words_found, row.words_found_surely)
        found.setdefault(row.survivor_id, one)
    return list(found.values())


def near_dates(born: date) -> list[date]:
    """Dates that are written for another by mistake: a day beside, day and month exchanged, a year beside."""
    near = [born + timedelta(days=days) for days in (-1, 1)]
    for year, month, day in (
        (born.year, born.day, born.month),
        (born.year - 1, born.month, born.day),
        (born.year + 1, born.month, born.day),
    ):
        try:
            near.append(date(year, month, day))
        except ValueError:
            continue
    return [other for other in dict.fromkeys(near) if other != born]


def _asked(hasher: SearchHasher, traits: Traits) -> Iterator[tuple[SearchKind, bytes, int, Reason]]:
    """(kind, hash, term, reason); of a term only its best reason counts."""
    for term, values in enumerate(_terms(traits)):
        for kind, value, reason in values:
            for hashed in hasher.asked(kind, value):
                yield kind, hashed, term, reason


def _terms(traits: Traits) -> Iterator[list[tuple[SearchKind, str, Reason]]]:
    for word in traits.words:
        term = [(SearchKind.NAME, word, Reason.NAME)]
        if form := familiar(word):
            term.append((SearchKind.NICKNAME, form, Reason.FAMILIAR_NAME))
        if heard := sound(word):
            term.append((SearchKind.SOUND, heard, Reason.SIMILAR_NAME))
        yield term
    yield [(SearchKind.PHONE, phone, Reason.PHONE) for phone in traits.phones]
    if traits.label is not None:
        yield [(SearchKind.LABEL, label_value(traits.label), Reason.CASE_LABEL)]
    if traits.born is not None:
        near = [(SearchKind.BIRTH, day.isoformat(), Reason.BIRTH_DATE_NEAR) for day in near_dates(traits.born)]
        yield [(SearchKind.BIRTH, traits.born.isoformat(), Reason.BIRTH_DATE), *near]
