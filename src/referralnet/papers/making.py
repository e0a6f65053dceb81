"""What is on a paper is read in the member's transaction; it is drawn after that is committed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.printing import release_to_print
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.identity.agencies import agency
from referralnet.papers.wording import Words, words_in
from referralnet.referrals.accounting import accounting_of


@dataclass(frozen=True, slots=True)
class Paper:
    """A PDF that is drawn when it is asked for; its name says nothing of whom or what."""

    draw: Callable[[], bytes]
    file_name: str


async def release_paper(
    session: AsyncSession, actor: Member, release_id: UUID, *, language: str | None, now: datetime
) -> Paper:
    """Her copy of a release, in the language asked for, else that of the form. Raises as release_to_print."""
    found = await release_to_print(session, actor, release_id, now=now)
    words = words_in(language or found.row.form_language)

    def draw() -> bytes:
        from referralnet.papers.release_paper import print_release  # noqa: PLC0415 (as below)

        return print_release(found, words, now)

    return _paper(draw, words)


async def accounting_paper(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, language: str | None, keyring: Keyring, now: datetime
) -> Paper:
    """Her accounting of disclosures, in English where no language is asked for. Raises as accounting_of."""
    words = words_in(language or "en")
    lines = await accounting_of(session, actor, survivor_id, keyring=keyring, now=now)
    custodian = await agency(session, actor.agency_id)

    def draw() -> bytes:
        # What draws takes half a second to import: the first paper pays it, and not each start.
        from referralnet.papers.accounting_paper import print_accounting  # noqa: PLC0415

        return print_accounting(lines, custodian, words, now)

    return _paper(draw, words)


def _paper(draw: Callable[[], bytes], words: Words) -> Paper:
    return Paper(draw, words.say("sheet", "file"))
