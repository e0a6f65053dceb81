"""The trail of one's own agency, for its auditors: ids and codes, never identity."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.scalars import JSON

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.paging import PageInfo, decode_cursor, encode_cursor, page_size
from referralnet.api.performing import perform
from referralnet.audit import searching
from referralnet.audit.recording import Action
from referralnet.audit.searching import Position, TrailSearch
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission

_READ = Permission.READ_TRAIL


@strawberry.type(description="One act or sensitive read, as the trail has it.")
class TrailEvent:
    id: UUID
    at: datetime
    member_id: UUID | None = strawberry.field(description="Null where the program itself acted.")
    action: str
    subject_kind: str
    subject_id: UUID
    detail: JSON = strawberry.field(description="Codes, ids and counts.")


@strawberry.type(description="A page of the trail.")
class TrailPage:
    events: list[TrailEvent]
    page_info: PageInfo


@strawberry.type(description="How the chain over your agency's trail stands.")
class TrailState:
    events: int
    links: int = strawberry.field(description="Events that the chain holds.")
    waiting_since: datetime | None = strawberry.field(description="Since when an event waits for its link.")
    check_asked_at: datetime | None
    checked_at: datetime | None = strawberry.field(description="When every link was recomputed last.")
    checked_links: int | None
    broken_at: int | None = strawberry.field(description="The first link that did not hold.")
    reason: str | None


@strawberry.input(description="What is looked for; what is left out may be anything.")
class TrailSearchInput:
    since: datetime | None = None
    until: datetime | None = strawberry.field(default=None, description="Exclusive.")
    member_id: UUID | None = None
    actions: list[str] = strawberry.field(default_factory=list)
    subject_kind: str | None = None

    def wanted(self) -> TrailSearch:
        """Raises InvalidInput: no such action."""
        try:
            actions = frozenset(Action(action) for action in self.actions)
        except ValueError:
            raise InvalidInput(field="actions", detail="There is no such action.") from None
        return TrailSearch(self.since, self.until, self.member_id, actions, self.subject_kind)


@strawberry.type
class TrailQuery:
    @strawberry.field(description="For auditors: the trail of your agency, newest first.")
    async def trail(
        self, info: Info, search: TrailSearchInput | None = None, first: int = 50, after: str | None = None
    ) -> TrailPage:
        async with info.context.reading(_READ) as (session, _):
            wanted, size = (search or TrailSearchInput()).wanted(), page_size(first)
            rows = await searching.search_trail(session, wanted, after=_position(after), first=size + 1)
            shown = rows[:size]
            cursor = encode_cursor(shown[-1].at.isoformat(), str(shown[-1].id)) if shown else None
            return TrailPage(
                events=[
                    TrailEvent(
                        id=row.id, at=row.at, member_id=row.member_id, action=row.action,
                        subject_kind=row.subject_kind, subject_id=row.subject_id, detail=JSON(dict(row.detail)),
                    )
                    for row in shown
                ],
                page_info=PageInfo(has_next_page=len(rows) > size, end_cursor=cursor),
            )  # fmt: skip

    @strawberry.field(description="For auditors: how far the chain reaches, and what its last check found.")
    async def trail_state(self, info: Info) -> TrailState | None:
        async with info.context.reading(_READ) as (session, _):
            row = await searching.trail_state(session)
            if row is None:
                return None
            return TrailState(
                events=row.events, links=row.links, waiting_since=row.waiting_since, check_asked_at=row.asked_at,
                checked_at=row.checked_at, checked_links=row.checked_links, broken_at=row.broken_at, reason=row.reason,
            )  # fmt: skip


@strawberry.type
class TrailMutation:
    @strawberry.mutation(description="Have every link of the chain checked now; the state tells what was found.")
    async def check_trail(self, info: Info, idempotency_key: str) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await searching.ask_for_check(session, actor.agency_id, actor.member_id, now=info.context.now)
            return actor.agency_id

        return await perform(info, _READ, idempotency_key, None, act=act, show=show_done)


def _position(cursor: str | None) -> Position | None:
    keys = decode_cursor(cursor)
    if keys is None:
        return None
    try:
        at, event_id = keys
        return Position(datetime.fromisoformat(at), UUID(event_id))
    except (TypeError, ValueError):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.") from None
