"""Finding a survivor of one's own agency by words, a number or a birth date: ids and labels, no identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.survivors.phone_numbers import normalise_phone
from referralnet.survivors.resembling import Resemblance, find_resembling
from referralnet.survivors.search_keys import Traits

WORDS_LENGTH_MAX = 200
WORDS_MAX = 8
FOUND_MAX = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What a coordinator remembers of her; it shows in no representation and is never stored."""

    words: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    born: date | None = field(default=None, repr=False)


async def search_survivors(
    session: AsyncSession, actor: Member, asked: Asked, *, keyring: Keyring, first: int = FOUND_MAX
) -> list[Resemblance]:
    """The records of this custody that answer, best first; the trail keeps which were found and not what was asked.

    Words may be of names, in any order, or a case label. Nothing is opened: whoever wants to know who it is, reveals
    her with a second factor.

    Raises:
        InvalidInput: nothing was asked, or too much at once.
        HourlyCapReached: asked too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    traits = _traits(asked)
    await require_below_cap(session, Action.SURVIVORS_SEARCHED)
    found = await find_resembling(session, keyring, actor.agency_id, traits, first=min(first, FOUND_MAX))
    ids = [str(one.survivor_id) for one in found]
    await record(session, Action.SURVIVORS_SEARCHED, "agency", actor.agency_id, count=len(ids), found=ids)
    return found


def _traits(asked: Asked) -> Traits:
    words = (asked.words or "").strip()
    if len(words) > WORDS_LENGTH_MAX:
        raise InvalidInput(field="words", detail=f"At most {WORDS_LENGTH_MAX} characters.")
    phones = () if asked.phone is None else (normalise_phone(asked.phone),)
    traits = Traits((words,) if words else (), phones, asked.born, words or None)
    if len(traits.words) > WORDS_MAX:
        raise InvalidInput(field="words", detail=f"At most {WORDS_MAX} words.")
    if not (traits.words or phones or asked.born):
        raise InvalidInput(field="words", detail="Give a name, a case label, a number or a birth date.")
    return traits
