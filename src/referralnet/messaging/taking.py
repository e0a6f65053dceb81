"""Taking due texts of one custody: locked, with everything that is judged about each, in one statement."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.direct import fetch_all
from referralnet.encryption.data_keys import KeyGone
from referralnet.encryption.keyring import Keyring, WrappedKey
from referralnet.encryption.sealing import DataKey
from referralnet.messaging.contacts import Contact
from referralnet.messaging.outbox import DueText, Turn
from referralnet.messaging.wording import Message

ABOUT_HER = frozenset({Message.STATUS_DIGEST, Message.RECONFIRM_CONTACT})


@dataclass(frozen=True, slots=True)
class Taken:
    """A due text that this transaction has locked, and how she may be texted at this moment.

    No contact: she has no plan, or the referral is not hers any more; or the text answers a number as such.
    """

    id: UUID
    agency_id: UUID | None
    survivor_id: UUID | None
    subject_id: UUID
    message: Message
    occurrence: dict[str, Any]
    send_before: datetime
    fence: int
    attempts: int
    to_sealed: bytes | None = field(repr=False)
    contact: Contact | None
    wrapped_key: WrappedKey | None = field(repr=False)

    async def key(self, keyring: Keyring) -> DataKey:
        """Her data key.

        Raises:
            KeyGone: it was destroyed.
        """
        if self.contact is None or self.wrapped_key is None:
            raise KeyGone
        return await keyring.unwrap(self.contact.data_key_id, self.wrapped_key)


# When she is reminded was decided when the text was planned.
_CONTACT = [column.name for column in fields(Contact) if column.name != "reminder_hours"]
# As messaging/contacts.py reads them when a text is planned. The lock is taken and all is read at one moment: whoever
# stops her texts waits for this transaction, or has been waited for.
_TAKE = """
    with taken as (
      select id, agency_id, survivor_id, subject_id, kind, occurrence, send_before, fence, attempts, to_sealed
      from text_message
      where state = 'scheduled' and claimable_at <= $1 and {which}
      order by priority, claimable_at limit {at_most} for update skip locked
    )
    select taken.id, taken.subject_id, taken.kind, taken.occurrence, taken.send_before, taken.fence, taken.attempts,
      taken.to_sealed, taken.agency_id as custodian_id, taken.survivor_id as whose, link.referral_id as linked_id,
      plan.id as plan_id, plan.agency_id, plan.survivor_id, survivor.data_key_id, plan.phone_sealed, plan.language,
      plan.time_zone, plan.safe_windows, plan.sender_label, plan.texts_opted_in_at, plan.reconfirm_by,
      plan.status_digest, plan.paused_at,
      exists (select from suppression where suppression.phone_lookup = plan.phone_lookup) as suppressed,
      exists (select from release where release.id = link.release_id and is_live(release)) as release_live,
      referral.status as referral_status,
      appointment.status as appointment_status, appointment.starts_at as appointment_starts_at,
      key.wrapping_key_id, key.wrapped
    from taken
      left join survivor on survivor.id = taken.survivor_id
      left join contact_plan plan on plan.survivor_id = survivor.id
      left join keystore.data_key key on key.id = survivor.data_key_id
      left join survivor_referral link on link.referral_id = taken.subject_id and link.survivor_id = survivor.id
      left join referral on referral.id = link.referral_id
      left join appointment on appointment.referral_id = link.referral_id
        and appointment.id = (taken.occurrence ->> 'appointment_id')::uuid
"""
_NAME = """
    select id from text_message where state = 'scheduled' and claimable_at <= $1 and {which}
    order by priority, claimable_at limit {at_most}
"""
_NAMED = "id = $2"
_NEXT = "agency_id = $2"  # lint: agency-filter whose turn it is, beside row security
_NOBODYS = "agency_id is null"


async def take(session: AsyncSession, due: DueText | Turn, *, at_most: int, now: datetime) -> list[Taken]:
    """Lock due texts of a custody, the most urgent or the one that is named; none where there is none to have."""
    if isinstance(due, DueText):
        rows = await fetch_all(session, _statement(_NAMED, at_most), now, due.id)
    elif due.agency_id is None:
        rows = await fetch_all(session, _statement(_NOBODYS, at_most), now)
    else:
        rows = await fetch_all(session, _statement(_NEXT, at_most), now, due.agency_id)
    return [_taken(row) for row in rows]


async def name_due(session: AsyncSession, due: Turn, *, at_most: int, now: datetime) -> list[DueText]:
    """Those that `take` would take, with nothing read of what is judged about them."""
    which, whose = (_NOBODYS, []) if due.agency_id is None else (_NEXT, [due.agency_id])
    rows = await fetch_all(session, _NAME.format(which=which, at_most=at_most), now, *whose)
    return [DueText(row["id"], due.agency_id) for row in rows]


@functools.cache
def _statement(which: str, at_most: int) -> str:
    """With the number in its words: what is planned for any number is planned for a tenth of the table."""
    return _TAKE.format(which=which, at_most=at_most)


def _taken(row: asyncpg.Record) -> Taken:
    message = Message(row["kind"])
    is_hers = row["plan_id"] is not None and (message in ABOUT_HER or row["linked_id"] is not None)
    return Taken(
        id=row["id"],
        agency_id=row["custodian_id"],
        survivor_id=row["whose"],
        subject_id=row["subject_id"],
        message=message,
        occurrence=row["occurrence"],
        send_before=row["send_before"],
        fence=row["fence"],
        attempts=row["attempts"],
        to_sealed=row["to_sealed"],
        contact=Contact(**{name: row[name] for name in _CONTACT}) if is_hers else None,
        wrapped_key=WrappedKey(row["wrapping_key_id"], row["wrapped"]) if row["wrapped"] is not None else None,
    )
