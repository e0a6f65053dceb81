"""Misspelled words: a word that no listing has is mended by trigrams, then by the closest spelling."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.taxonomy import meanings

WORD_LENGTH_MIN = 4
WORDS_MAX = 8
CLOSE_ENOUGH = 0.75
"""Of difflib's ratio: "sheltr" to "shelter" is 0.92, "interpretor" to "interpreter" 0.91, "house" to "horse" 0.8."""

# The index over trigrams answers `%`; whoever is nearest in spelling is decided here, among the few it names. A word
# that is in a name or in any listing's text is spelled as somebody spells it.
_SIMILAR = text("""
    select unheard.typed, near.word
      from unnest(cast(:typed as text[]), cast(:plain as text[])) as unheard (typed, plain)
     cross join lateral (
        select like_it.word, max(similarity(like_it.word, plain)) as likeness, sum(like_it.uses) as uses
          from directory_words like_it where like_it.word % plain
         group by like_it.word order by 2 desc, 3 desc, 1 limit 8
     ) near
""")
HEARD = """
    select typed from unnest(cast(:typed as text[]), cast(:plain as text[])) as unheard (typed, plain)
     where exists (select from directory_words heard where heard.word = plain)
        or (select count(*) > 0 from (
            select from directory_listing entry
             where entry.words @@ (to_tsquery('english', plain) || to_tsquery('spanish', typed)) limit 200) found)
"""


def folded(said: str) -> str:
    """In lower case and without accents, as names are kept (`unaccent`)."""
    return without_accents(said.lower())


def without_accents(said: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", said) if not unicodedata.combining(sign))


def unknown_words(words: str) -> dict[str, str]:
    """What of the words is in no synonym and no category's name: each as it was typed, and folded."""
    typed = [word for word in dict.fromkeys(re.findall(r"[^\W\d_]+", words.lower())) if len(word) >= WORD_LENGTH_MIN]
    return {word: folded(word) for word in typed[:WORDS_MAX] if folded(word) not in _vocabulary()}


async def mend(session: AsyncSession, unheard: dict[str, str]) -> dict[str, str]:
    """For each word that no listing has, the word of a name, a category or a synonym that is spelled nearly like it."""
    if not unheard:
        return {}
    near: dict[str, list[str]] = {}
    for row in await session.execute(_SIMILAR, {"typed": list(unheard), "plain": list(unheard.values())}):
        near.setdefault(row.typed, []).append(row.word)
    mended = {}
    for word, plain in unheard.items():
        candidates = [*get_close_matches(plain, _vocabulary(), n=1, cutoff=CLOSE_ENOUGH), *near.get(word, [])]
        best = max(((_likeness(plain, other), other) for other in candidates), default=(0.0, ""))
        if best[0] >= CLOSE_ENOUGH:
            mended[word] = _vocabulary().get(best[1], best[1])
    return mended


def with_mended(words: str, mended: dict[str, str]) -> str:
    """The words with each misspelled one replaced."""
    return re.sub(r"[^\W\d_]+", lambda word: mended.get(word[0].lower(), word[0]), words)


def _likeness(typed: str, word: str) -> float:
    return SequenceMatcher(None, typed, word).ratio()


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, str]:
    """Words of synonyms and of categories' names: without accents, to how they are written."""
    words = {word for phrase in meanings() for word in re.findall(r"[^\W\d_]+", phrase)}
    return {folded(word): word for word in sorted(words) if len(word) >= WORD_LENGTH_MIN}
