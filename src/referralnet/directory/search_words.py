"""The words of a question, read once for the statement that looks for them: by the stems of both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.direct import Direct
from referralnet.directory.search_parameters import Shape, planning
from referralnet.directory.search_reach import has_one_plan
from referralnet.directory.spelling import HEARD


def _stems(words: str) -> str:
    """As they were typed, and without accents, in English or in Spanish: each meaning once, for each is looked for."""
    tried = ", ".join(
        f"(websearch_to_tsquery('{language}', {said}))"
        for said in (words, f"unaccent({words})")
        for language in ("english", "spanish")
    )
    return f"""(select coalesce(string_agg(distinct '(' || query::text || ')', ' | '), '')
        from (values {tried}) tried (query) where numnode(query) > 0)"""  # noqa: S608 (fixed parts)


# In the statement that the planner's settings take, so that a search waits for the database no more often than it did.
_READ = Direct(
    text(f"""
    select {planning(":mode")}, {_stems(":words")} as words_query, {_stems(":eligibility_words")} as eligibility_query,
           array(select {_stems("word")} from unnest(cast(:word_list as text[])) with ordinality said (word, at)
                  order by at) as word_queries, array({HEARD}) as heard
""").bindparams(  # noqa: S608 (fixed parts)
        bindparam("mode", type_=Text()),
        bindparam("words", type_=Text()),
        bindparam("eligibility_words", type_=Text()),
        *(bindparam(name, type_=ARRAY(Text())) for name in ("word_list", "typed", "plain")),
    )
)


@dataclass(frozen=True, slots=True)
class ReadWords:
    """The parameters of a search that its words make, and the words that no listing has."""

    values: dict[str, Any]
    unheard: dict[str, str]
    """As typed, and folded."""


async def read_words(
    session: AsyncSession, words: str, eligibility_words: str, unknown: dict[str, str], shape: Shape
) -> ReadWords:
    """Read the words, and which of the `unknown` ones (as typed, and folded) are heard of.

    The planner is told as well, how statements of this shape are planned.
    """
    word_list = list(dict.fromkeys(words.split()))
    asked = {
        "mode": "force_generic_plan" if has_one_plan(shape) else "force_custom_plan",
        "words": words,
        "eligibility_words": eligibility_words,
        "word_list": word_list,
        "typed": list(unknown),
        "plain": list(unknown.values()),
    }
    read = await _READ.first(session, **asked)
    assert read is not None, "it reads no table"
    values = {
        "word_list": word_list,
        "words_query": read["words_query"],
        "eligibility_query": read["eligibility_query"],
        "word_queries": read["word_queries"],
    }
    return ReadWords(values, {typed: plain for typed, plain in unknown.items() if typed not in read["heard"]})
