"""Names as they are compared: plain words, their familiar forms, and how they sound. Pure.

No library carries this: of 36 pairs of Spanish and English spellings of one name, metaphone matches 22, NYSIIS and
Soundex 18, and the rules below 34 (docs/decisions/0095).
"""

from __future__ import annotations

import re
import unicodedata

from referralnet.survivors.nicknames import CANONICAL

# Words that stand in many names and tell nobody apart.
_PARTICLE_LIST = "al bin da das de del della der di do dos du e el ibn la las le los san van von y"
_PARTICLES = frozenset(_PARTICLE_LIST.split())
_APOSTROPHES = re.compile(r"['`\u00b4\u02bc\u2018\u2019]")
# In this order: what two spellings of one sound become. Spanish first, since most of the names are.
_SOUNDS = tuple(
    (re.compile(written), sound)
    for written, sound in (
        (r"^h(?=[aeiou])", ""),
        (r"ph|v(?=en\b)", "f"),
        (r"^ll", "y"),
        (r"^[jxy](?=[aeiou])|g(?=[ei])|x", "j"),
        (r"c?qu(?=[ei])|k", "c"),
        (r"z|c(?=[eiy])", "s"),
        (r"[vw]", "b"),
        (r"h", ""),
    )
)
_VOWELS = re.compile(r"[aeiouy]")
_REPEATED = re.compile(r"(.)\1+")


def plain_words(name: str) -> list[str]:
    """The words of a name in lower case and without accents, in order, each once: ``García-López`` is two words.

    An apostrophe joins (``O'Brien`` is ``obrien``), a hyphen parts, and particles such as "de la" are left out, unless
    there is nothing else.
    """
    words = list(dict.fromkeys(re.findall(r"\w+", bare(_APOSTROPHES.sub("", name)))))
    return [word for word in words if word not in _PARTICLES] or words


def bare(written: str) -> str:
    """Letters in lower case and without accents (NFKD); all else as it stands."""
    decomposed = unicodedata.normalize("NFKD", written).casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def familiar(word: str) -> str | None:
    """The name that a word is a form of (``lupe`` and ``guadalupe`` are both ``guadalupe``), where that is known."""
    return CANONICAL.get(word)


def sound(word: str) -> str | None:
    """How a word sounds, roughly: its consonants, its first letter and a last o or a (Mario is not Maria).

    None where the letters are not Latin, or too few to tell: every short word sounds like another.
    """
    if len(word) < 3 or not re.fullmatch(r"[a-z]+", word):
        return None
    heard = word
    for written, becomes in _SOUNDS:
        heard = written.sub(becomes, heard)
    first = "a" if _VOWELS.match(heard) else heard[:1]
    last = heard[-1] if heard[-1:] in ("a", "o") else ""
    return _REPEATED.sub(r"\1", first + _VOWELS.sub("", heard[1:])) + last
