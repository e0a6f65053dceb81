"""An agency's own referrals as a file that can be traced: a serial in every row, who made it, so many rows a day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.directory.formulas import guarded
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import PER_HOUR_MAX
from referralnet.referrals import scope
from referralnet.referrals.reading import LISTING
from referralnet.referrals.tables import Referral, SurvivorReferral
from referralnet.survivors.revealing import SurvivorIdentity, reveal_survivor

ROWS_PER_DAY_MAX = 2000
"""For one member and 24 hours; the database counts in the trail, by a copy of its own."""
DAYS_MAX = 366
SURVIVORS_MAX = PER_HOUR_MAX[Action.SURVIVOR_REVEALED]
"""In one file with identity: each of them is a reveal like any other, and counted with them."""
WITHHELD = "(confidential)"
COLUMNS = (
    "export", "referral", "status", "business_status", "status_reason", "outcome", "service_type", "urgency",
    "organization", "service", "created_at", "requested_at", "accepted_at", "ended_at",
)  # fmt: skip
IDENTITY_COLUMNS = ("case_label", "given_name", "family_name", "date_of_birth")


class DailyExportReached(Refusal):
    """One person may export only so many rows within a day. Choose fewer days, or wait."""

    code = "DAILY_EXPORT_REACHED"
    audited = True


@dataclass(frozen=True, slots=True)
class Exported:
    """A file and what the trail says of it; `serial` stands in every row."""

    content: bytes = field(repr=False)
    serial: UUID
    rows: int


async def export_referrals(
    session: AsyncSession,
    actor: Member,
    first_day: date,
    last_day: date,
    *,
    with_identity: bool = False,
    keyring: Keyring,
    now: datetime,
) -> Exported:
    """The acting agency's own referrals that were made on these days (UTC), as CSV.

    Without identity a row has no name, number, label, note, household, age, language, region or immigration; and of a
    confidential service neither name (D4). With it, each survivor is revealed: that asks for a fresh second factor and
    counts towards the hour as in `reveal_survivor`.

    Raises:
        NotPermitted: not a coordinator with the right to export.
        InvalidInput: the days are too many or the wrong way round; with identity, more than 60 survivors.
        DailyExportReached: more rows than a day allows. StepUpNeeded, HourlyCapReached: with identity.
    """
    require(actor, Permission.EXPORT_REFERRALS)
    require(actor, Permission.KEEP_SURVIVORS)
    if not 0 <= (last_day - first_day).days < DAYS_MAX:
        raise InvalidInput(field="to", detail=f"From 1 to {DAYS_MAX} days, the first one first.")
    left = ROWS_PER_DAY_MAX - (await session.scalar(select(func.rows_exported_within_the_day())) or 0)
    found = await _rows(session, first_day, last_day, most=left + 1)
    if len(found) > left:
        raise DailyExportReached(field="to")
    people = await _reveal(session, actor, found, keyring=keyring, now=now) if with_identity else {}
    withheld, serial = sum(bool(row.confidential) for row in found), uuid4()
    await record(
        session, Action.REFERRALS_EXPORTED, "export", serial,
        rows=len(found), with_identity=int(with_identity), withheld=withheld,
    )  # fmt: skip
    columns = COLUMNS + (IDENTITY_COLUMNS if with_identity else ())
    lines = [_line(serial, row) + (_who(people.get(row.survivor_id)) if with_identity else ()) for row in found]
    mark = (
        f"# export {serial} made by member {actor.member_id} of agency {actor.agency_id} at {_cell(now)}:"
        f" {len(found)} rows, of which {withheld} go to confidential services, whose names are left out"
    )
    return Exported(_csv([columns, *lines, (mark,)]), serial, len(found))


async def _rows(session: AsyncSession, first_day: date, last_day: date, *, most: int) -> list[Row[Any]]:
    since = datetime.combine(first_day, time.min, UTC)
    until = datetime.combine(last_day, time.min, UTC) + timedelta(days=1)
    told = ("id", "status", "business_status", "status_reason", "outcome", "service_type", "urgency", "created_at",
            "requested_at", "accepted_at", "ended_at")  # fmt: skip
    asked = (
        select(
            *(getattr(Referral, name) for name in told),
            LISTING.c.organization_name,
            LISTING.c.service_name,
            LISTING.c.confidential,
            SurvivorReferral.survivor_id,
        )
        .outerjoin(LISTING, LISTING.c.service_at_location_id == Referral.service_at_location_id)
        .outerjoin(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
        .where(scope.sent(), Referral.created_at >= since, Referral.created_at < until)
        .order_by(Referral.created_at, Referral.id)
        .limit(most)
    )
    return list(await session.execute(asked))


async def _reveal(
    session: AsyncSession, actor: Member, found: Iterable[Row[Any]], *, keyring: Keyring, now: datetime
) -> dict[UUID, SurvivorIdentity]:
    ids = sorted({row.survivor_id for row in found if row.survivor_id is not None})
    if len(ids) > SURVIVORS_MAX:
        raise InvalidInput(field="to", detail=f"More than {SURVIVORS_MAX} survivors: choose fewer days.")
    return {one: await reveal_survivor(session, actor, one, keyring=keyring, now=now) for one in ids}


def _line(serial: UUID, row: Row[Any]) -> tuple[object, ...]:
    names = (WITHHELD, WITHHELD) if row.confidential else (row.organization_name, row.service_name)
    stands = (row.status, row.business_status, row.status_reason, row.outcome, row.service_type, row.urgency)
    return (serial, row.id, *stands, *names, row.created_at, row.requested_at, row.accepted_at, row.ended_at)


def _who(person: SurvivorIdentity | None) -> tuple[object, ...]:
    if person is None:
        return ("",) * len(IDENTITY_COLUMNS)
    return (person.case_label, person.given_name, person.family_name, person.date_of_birth)


def _csv(lines: Iterable[Iterable[object]]) -> bytes:
    """Lines as a spreadsheet reads them, where no cell is run as a formula."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([guarded(_cell(value)) for value in line] for line in lines)
    return file.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value.astimezone(UTC):%FT%TZ}" if isinstance(value, datetime) else str(value)
