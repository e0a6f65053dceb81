"""Referrals as rows, one statement each; what a party may not see yet is left out where the row is made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    ScalarSelect,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
    table,
    tuple_,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from referralnet.database.acting import AgencyKind, Member
from referralnet.database.direct import Direct
from referralnet.database.rows import row_maker
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Agency, MemberAccount
from referralnet.referrals import scope
from referralnet.referrals.lifecycle import BusinessStatus, Event, Outcome, Status
from referralnet.referrals.tables import OnwardReferral, Referral, ReferralAssignee, ReferralEvent

PAGE_MAX = 200
_Source, _Target = aliased(Agency), aliased(Agency)
_Assignee = aliased(MemberAccount)
# Written out and no parameter, so that a plan kept for all values finds the index of what waits.
_ON_HOLD = literal_column(f"'{Status.ON_HOLD}'", Text())
# The view that every member may read; the table behind it is the directory's own.
LISTING = table(
    "directory_listing",
    column("service_at_location_id", Uuid()),
    column("service_name"),
    column("organization_name"),
    column("confidential"),
)


class NeedRow(NamedTuple):
    """What is asked for, frozen when the referral was sent; codes and counts, no free text."""

    service_type: str
    urgency: str
    region: str
    language: str
    household_size: int
    age_band: str
    accessibility: list[str]
    immigration_sensitive: bool


class ReferralRow(NamedTuple):
    """A referral as one of its parties sees it. `source_agency_*` is None for a target that has not accepted (R4).

    `waitlist_position` is the target's alone, whose list it is; `assignee_*` and `part_of` are each side's own.
    """

    id: UUID
    status: Status
    business_status: BusinessStatus | None
    status_reason: str | None
    outcome: Outcome | None
    source_agency_kind: AgencyKind
    source_agency_id: UUID | None
    source_agency_name: str | None
    target_agency_id: UUID
    target_agency_name: str
    service_at_location_id: UUID
    service_name: str | None
    organization_name: str | None
    last_event: Event | None
    changed_at: datetime
    created_at: datetime
    requested_at: datetime | None
    answer_due_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    holds_unit: bool
    waitlist_position: int | None
    assignee_id: UUID | None
    assignee_name: str | None
    part_of: UUID | None
    version: int
    need: NeedRow


class ReferralEventRow(NamedTuple):
    """One step of the history. Of the other party it names the agency (R4: once accepted) and never a person."""

    sequence: int
    event: Event
    from_status: Status
    to_status: Status
    business_status: BusinessStatus | None
    reason: str | None
    by_agency_name: str | None
    by_member_name: str | None
    at: datetime


class Position(NamedTuple):
    """Where a page ended: the time it is ordered by, and the id among equals."""

    at: datetime
    referral_id: UUID


class Page(NamedTuple):
    """How many rows, and after which position."""

    first: int
    after: Position | None


NEED_COLUMNS = NeedRow._fields


async def referral(session: AsyncSession, actor: Member, referral_id: UUID) -> ReferralRow:
    """One referral of the acting agency, on either side.

    Raises:
        NotFound: there is none, or it is between others: the answer is the same (C6).
    """
    require(actor, Permission.READ_REFERRALS)
    row = await _one().first(session, referral_id=referral_id)
    if row is None:
        raise NotFound(field="referral_id")
    return referral_row(row)


async def inbox(
    session: AsyncSession,
    actor: Member,
    *,
    status: Status | None = None,
    first: int = 50,
    after: Position | None = None,
) -> list[ReferralRow]:
    """Referrals addressed to the acting agency, newest first by when they were sent.

    `after`: the last row's `requested_at` and id. Raises InvalidInput naming `first` (1 to 200).
    """
    require(actor, Permission.READ_REFERRALS)
    return await _page(session, status, Page(first, after), received=True)


async def sent(
    session: AsyncSession,
    actor: Member,
    *,
    status: Status | None = None,
    first: int = 50,
    after: Position | None = None,
) -> list[ReferralRow]:
    """Referrals the acting agency made, newest first by when they were made.

    `after`: the last row's `created_at` and id. Raises InvalidInput naming `first` (1 to 200).
    """
    require(actor, Permission.READ_REFERRALS)
    return await _page(session, status, Page(first, after), received=False)


async def events(session: AsyncSession, referral_ids: Iterable[UUID]) -> dict[UUID, list[ReferralEventRow]]:
    """The history of each referral, oldest first; row security leaves out what the actor is no party of."""
    found: dict[UUID, list[ReferralEventRow]] = defaultdict(list)
    wanted = list(referral_ids)
    of_one = len(wanted) == 1
    for referral_id, *step in await _history(of_one).all(session, wanted=wanted[0] if of_one else wanted):
        found[referral_id].append(_event_row(step))
    return found


# Statements are put together once: to do so takes longer than the database takes to answer them.


@lru_cache(maxsize=2)
def _history(of_one: bool) -> Direct:
    # By itself, a referral is asked for as such: for lists of any length no plan would be kept that is good for one.
    wanted = bindparam("wanted", type_=Uuid() if of_one else ARRAY(Uuid()))
    from_unknown_source = and_(ReferralEvent.by_agency_id == Referral.source_agency_id, ~scope.knows_the_source())
    history = (
        select(
            ReferralEvent.referral_id,
            ReferralEvent.sequence,
            ReferralEvent.event,
            ReferralEvent.from_status,
            ReferralEvent.to_status,
            ReferralEvent.business_status,
            ReferralEvent.reason,
            case((from_unknown_source, null()), else_=Agency.name).label("by_agency_name"),
            MemberAccount.display_name.label("by_member_name"),
            ReferralEvent.at,
        )
        .join(Referral, Referral.id == ReferralEvent.referral_id)
        .outerjoin(Agency, Agency.id == ReferralEvent.by_agency_id)
        # Row security shows members of one's own agency only, so no other agency's person is ever joined.
        .outerjoin(MemberAccount, MemberAccount.id == ReferralEvent.by_member_id)
        .where(ReferralEvent.referral_id == (wanted if of_one else any_(wanted)))
        .order_by(ReferralEvent.referral_id, ReferralEvent.sequence)
    )
    return Direct(history)


async def _page(session: AsyncSession, status: Status | None, page: Page, *, received: bool) -> list[ReferralRow]:
    if not 1 <= page.first <= PAGE_MAX:
        raise InvalidInput(field="first", detail=f"Between 1 and {PAGE_MAX}.")
    given: dict[str, Any] = {"first": page.first}
    if status is not None:
        given["status"] = status
    if page.after is not None:
        given |= {"after_at": page.after.at, "after_id": page.after.referral_id}
    statement = _listed(received, status is not None, page.after is not None)
    return [referral_row(row) for row in await statement.all(session, **given)]


@lru_cache(maxsize=8)
def _listed(received: bool, of_a_status: bool, further: bool) -> Direct:
    ordered_by = Referral.requested_at if received else Referral.created_at
    order = (ordered_by.desc(), Referral.id.desc())
    page = select(Referral.id).where(scope.received() if received else scope.sent())
    if of_a_status:
        page = page.where(Referral.status == bindparam("status", type_=Text()))
    if further:
        after = tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid()))
        page = page.where(tuple_(ordered_by, Referral.id) < after)
    # The page is chosen first: the planner, who expects one row behind row security, would join all of an agency's.
    chosen = page.order_by(*order).limit(bindparam("first", type_=Integer())).correlate(None)
    return Direct(referral_rows().where(Referral.id.in_(chosen)).order_by(*order))


@lru_cache(maxsize=1)
def _one() -> Direct:
    wanted = bindparam("referral_id", type_=Uuid())
    # Row security asks who is blocked of rows that are there alone, and takes its time over it. Another row is looked
    # at as well, so that what is hidden takes as long as what does not exist (C12). It is dropped by a comparison that
    # may not go before row security: PostgreSQL does not know whether writing an id as text tells it.
    looked_at = Referral.id == any_(array([wanted, select(func.some_referral()).scalar_subquery()]))
    return Direct(referral_rows().where(looked_at, cast(Referral.id, Text) == cast(wanted, Text)))


@lru_cache(maxsize=1)
def referral_rows() -> Select[Any]:
    """The one statement that reads referrals; whoever adds to it chooses which and in what order."""
    known = scope.knows_the_source()
    derived = {
        "source_agency_id": case((known, Referral.source_agency_id)),
        "source_agency_name": case((known, _Source.name)),
        "target_agency_name": _Target.name,
        "service_name": LISTING.c.service_name,
        "organization_name": LISTING.c.organization_name,
        "holds_unit": Referral.held_capacity_id.is_not(None),
        "waitlist_position": case((and_(Referral.status == _ON_HOLD, scope.received()), _place_in_line())),
        "assignee_id": ReferralAssignee.member_id,
        "assignee_name": _Assignee.display_name,
        "part_of": OnwardReferral.part_of,
    }
    # The need is the last field of a row.
    columns = (*ReferralRow._fields[:-1], *NEED_COLUMNS)
    return (
        select(*(derived[name].label(name) if name in derived else getattr(Referral, name) for name in columns))
        .join(_Source, _Source.id == Referral.source_agency_id)
        .join(_Target, _Target.id == Referral.target_agency_id)
        .outerjoin(LISTING, LISTING.c.service_at_location_id == Referral.service_at_location_id)
        # Row security shows one's own side of both, and nothing of the other's.
        .outerjoin(ReferralAssignee, ReferralAssignee.referral_id == Referral.id)
        .outerjoin(_Assignee, _Assignee.id == ReferralAssignee.member_id)
        .outerjoin(OnwardReferral, OnwardReferral.referral_id == Referral.id)
    )


def _place_in_line() -> ScalarSelect[int]:
    """How many wait for the same service, up to this one: whoever has waited longest is the first."""
    ahead = aliased(Referral)
    # A referral that waits has not moved since it was put there: its last change is when it began to wait.
    not_later = tuple_(ahead.changed_at, ahead.id) <= tuple_(Referral.changed_at, Referral.id)
    return (
        select(func.count())
        .where(ahead.service_at_location_id == Referral.service_at_location_id, ahead.status == _ON_HOLD, not_later)
        .correlate(Referral)
        .scalar_subquery()
    )


referral_row, _event_row = row_maker(ReferralRow), row_maker(ReferralEventRow)
"""A referral, of a row of that statement; and a step of its history."""
