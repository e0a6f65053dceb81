"""A release takes the place of another: the open referrals that stand on the old one stand on the new one, with what
was told and noted for them, and the old one ends. All in one transaction, so that there is no moment between.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent import narrowing, signing
from referralnet.consent.categories import Category
from referralnet.consent.copies import Because, carry_over
from referralnet.consent.ending import Via, end_for_successor
from referralnet.consent.proposing import check_may_follow
from referralnet.consent.releases import Ended, Succession, find_release, find_released
from referralnet.consent.signing import Signed
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.noting import carry_notes
from referralnet.referrals.tables import Referral, RoutingChoice, SurvivorReferral


async def sign_release(
    session: AsyncSession, actor: Member, release_id: UUID, signed: Signed, *, keyring: Keyring, now: datetime
) -> None:
    """She signs a proposed release; where it renews another, it takes that one's place at this moment.

    Raises:
        as consent.signing.sign_release; and ReleaseWithdrawn, ReleaseReplaced: what it was to renew is no more.
    """
    proposed = await signing.sign_release(session, actor, release_id, signed, keyring=keyring, now=now)
    if proposed.follows_release_id is not None:
        check_may_follow(await find_release(session, proposed.follows_release_id))
        await _take_place(
            session, actor, proposed.follows_release_id, release_id, Succession.RENEWAL, keyring=keyring, now=now
        )


async def narrow_release(
    session: AsyncSession,
    actor: Member,
    release_id: UUID,
    *,
    categories: frozenset[Category] | None = None,
    expires_at: datetime | None = None,
    via: Via,
    keyring: Keyring,
    now: datetime,
) -> UUID:
    """She leaves out categories, or wants an earlier end; returns the id of the release that holds from now on.

    From the commit on nobody reads what she left out: its key is gone.

    Raises:
        NotPermitted, and as consent.narrowing.write_narrowed.
    """
    # Whoever hears her takes her word, as when she takes everything back.
    require(actor, Permission.READ_REFERRALS)
    new_id = await narrowing.write_narrowed(
        session, actor, release_id, categories=categories, expires_at=expires_at, via=via, keyring=keyring, now=now
    )
    await _take_place(session, actor, release_id, new_id, Succession.NARROWING, keyring=keyring, now=now)
    return new_id


async def _take_place(
    session: AsyncSession,
    actor: Member,
    old_id: UUID,
    new_id: UUID,
    why: Succession,
    *,
    keyring: Keyring,
    now: datetime,
) -> None:
    referral_ids = await _open_referrals(session, old_id)
    old, new = await find_released(session, old_id), await find_released(session, new_id)
    assert old is not None, "both were read in this transaction, and the old one is locked"
    assert new is not None
    # What had expired is not brought back: a new disclosure is made of what is true then.
    if old.status == "active" and now < old.expires_at:
        await carry_over(session, old, new, referral_ids, keyring=keyring, because=Because(why), now=now)
        await carry_notes(session, old, new, referral_ids, keyring=keyring)
    await session.execute(
        update(SurvivorReferral).where(SurvivorReferral.referral_id.in_(referral_ids)).values(release_id=new_id)
    )
    # What a plan has not offered yet is offered under the new one; what that leaves out is a person's to settle.
    unoffered = update(RoutingChoice).where(RoutingChoice.release_id == old_id, RoutingChoice.referral_id.is_(None))
    await session.execute(unoffered.values(release_id=new_id).execution_options(synchronize_session=False))
    await end_for_successor(session, actor, old_id, how=Ended(why), successor_id=new_id, now=now)


async def _open_referrals(session: AsyncSession, release_id: UUID) -> list[UUID]:
    still_open = (
        select(Referral.id)
        .join(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
        .where(SurvivorReferral.release_id == release_id, Referral.status.not_in(ENDS))
        .order_by(Referral.id)
    )
    return list(await session.scalars(still_open))
