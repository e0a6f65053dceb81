"""Case labels: by what a coordinator knows a record in a list while somebody stands behind her. Neutral, and sealed.

A label opens without a second factor, so it may say nothing: no part of her name, no date, no number of hers
(docs/decisions/0095).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.encryption.data_keys import load_data_keys
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.survivors.checking import plain_text
from referralnet.survivors.name_words import bare, plain_words
from referralnet.survivors.sealed_fields import open_field
from referralnet.survivors.search_keys import SearchHasher, SearchKind, label_value
from referralnet.survivors.tables import Survivor, SurvivorSearchKey

LABEL_LENGTH_MAX = 24
# Four digits are a year, and more are a part of a number or a date.
_DIGITS_MAX = 3
_ALLOWED = re.compile(r"[^\W_]+(?:[ -][^\W_]+)*")
_SHORT_WORD = 2
_WORD_LIST = """
acorn almond amber anchor apple aspen bamboo barley basil beacon birch bramble brook canyon cedar cherry clover cobalt
copper coral cotton cypress daisy delta ember fennel fern flint garnet ginger granite hazel heron indigo ivory jasper
juniper kelp lantern larch lemon linen lilac lotus maple marble meadow mint moss nutmeg oak olive onyx opal orchid
pebble pepper pine plum poplar quartz quince raven reed river saffron sage sorrel spruce tansy teal thistle thyme topaz
tulip walnut willow
"""
_WORDS = _WORD_LIST.split()


def made_label() -> str:
    """A label out of chance alone, such as ``Maple 482``."""
    return f"{secrets.choice(_WORDS).title()} {secrets.randbelow(900) + 100}"


def check_label(label: str, names: Collection[str]) -> str:
    """The label, where it tells nothing of her.

    Args:
        label: what the agency chose.
        names: her names and aliases.

    Raises:
        InvalidInput: field ``case_label``: too long, not words and short numbers, or it has a part of a name.
    """
    text = plain_text(label, field="case_label", length_max=LABEL_LENGTH_MAX)
    if not _ALLOWED.fullmatch(text):
        raise InvalidInput(field="case_label", detail="Letters, digits, and one space or hyphen between words.")
    if sum(letter.isdigit() for letter in text) > _DIGITS_MAX:
        raise InvalidInput(
            field="case_label", detail=f"At most {_DIGITS_MAX} digits: more could be a date or a number."
        )
    joined = bare(re.sub(r"[ -]", "", text))
    hers = {word for name in names for word in plain_words(name)}
    if any(word in joined for word in hers if len(word) > _SHORT_WORD):
        raise InvalidInput(field="case_label", detail="It has a part of her name. Choose words that are nobody's.")
    return text


async def open_labels(session: AsyncSession, keyring: Keyring, survivor_ids: Collection[UUID]) -> dict[UUID, str]:
    """The labels of those survivors of this custody that have one; two statements, whatever their number."""
    columns = select(Survivor.id, Survivor.data_key_id, Survivor.case_label_sealed)
    labelled = columns.where(Survivor.id.in_(survivor_ids), Survivor.case_label_sealed.is_not(None))
    rows = (await session.execute(labelled)).all()
    keys = await load_data_keys(session, keyring, [row.data_key_id for row in rows])
    opened = {
        row.id: open_field(keys[row.data_key_id], Survivor.case_label_sealed, row.id, row.case_label_sealed)
        for row in rows
        if row.data_key_id in keys
    }
    return {survivor_id: label for survivor_id, label in opened.items() if label is not None}


async def labelled(session: AsyncSession, keyring: Keyring, agency_id: UUID, label: str) -> list[UUID]:
    """The survivors of the acting agency's custody that have exactly this label."""
    hashes = SearchHasher(keyring, agency_id).asked(SearchKind.LABEL, label_value(label))
    of_hash = select(SurvivorSearchKey.survivor_id).where(
        SurvivorSearchKey.kind == SearchKind.LABEL, SurvivorSearchKey.hash.in_(hashes)
    )
    likely = list(await session.scalars(of_hash.distinct()))
    opened = await open_labels(session, keyring, likely)
    return sorted(survivor_id for survivor_id, told in opened.items() if label_value(told) == label_value(label))
