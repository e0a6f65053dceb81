"""Services for a recorded need, best first, each with what speaks for it and against it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from referralnet.api.context import Info
from referralnet.api.paging import PageInfo, decode_cursor, encode_cursor, page_size
from referralnet.directory import matching as directory_matching
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.referrals.matching import match_need


@strawberry.type(description="The units that count for this need. A count too old to trust is not told (D5).")
class MatchedUnits:
    unit: str
    state: str = strawberry.field(description="fresh or unconfirmed.")
    available: int | None = strawberry.field(description="Null unless fresh.")
    confirmed_at: datetime


@strawberry.type(description="A service at a location for a need; of a hidden one nothing tells where it is.")
class Match:
    id: UUID
    service_id: UUID
    agency_id: UUID | None = strawberry.field(description="Where a referral would go; null means: call.")
    service_name: str
    organization_name: str
    confidential: bool
    area: str | None
    languages: list[str]
    units: MatchedUnits | None
    accepted_percent: int | None = strawberry.field(
        description="Of its answers in 180 days, in tens; null where it gave fewer than five."
    )
    points: int
    reasons_for: list[str] = strawberry.field(description="Codes of docs/matching.md.")
    reasons_against: list[str]

    @classmethod
    def of(cls, found: directory_matching.Match) -> Match:
        units = found.units
        return cls(
            id=found.service_at_location_id,
            service_id=found.service_id,
            agency_id=found.agency_id,
            service_name=found.service_name,
            organization_name=found.organization_name,
            confidential=found.confidential,
            area=found.area,
            languages=list(found.languages),
            units=None
            if units is None
            else MatchedUnits(
                unit=units.unit, state=units.state, available=units.available, confirmed_at=units.confirmed_at
            ),
            accepted_percent=found.accepted_percent,
            points=found.position[0],
            reasons_for=list(found.reasons_for),
            reasons_against=list(found.reasons_against),
        )


@strawberry.type(description="One match of a page.")
class MatchEdge:
    cursor: str
    node: Match


@strawberry.type(description="A page of matches, best first.")
class MatchConnection:
    edges: list[MatchEdge]
    page_info: PageInfo


@strawberry.type
class MatchingQuery:
    @strawberry.field(description="Services for a need in your agency's custody, ranked with reasons.")
    async def match_need(self, info: Info, need_id: UUID, first: int = 20, after: str | None = None) -> MatchConnection:
        async with info.context.reading(Permission.SEND_REFERRALS) as (session, actor):
            size = page_size(first)
            found = await match_need(session, actor, need_id, first=size, after=_position(after), now=info.context.now)
            edges = [
                MatchEdge(cursor=encode_cursor(one.position[0], str(one.position[1])), node=Match.of(one))
                for one in found
            ]
            end = edges[-1].cursor if edges else None
            return MatchConnection(edges=edges, page_info=PageInfo(has_next_page=len(edges) == size, end_cursor=end))


def _position(after: str | None) -> tuple[int, UUID] | None:
    keys = decode_cursor(after)
    if keys is None:
        return None
    try:
        points, service_at_location_id = keys
        return int(points), UUID(service_at_location_id)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.") from None
