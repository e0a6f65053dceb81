"""The accounting of disclosures, as the API tells it to her custodian's coordinators (C11)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import strawberry

from referralnet.api.categories import Category
from referralnet.api.context import Info
from referralnet.api.paging import PageInfo, decode_cursor, encode_cursor, page_size
from referralnet.audit.recording import Action
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.referrals import accounting


@strawberry.enum(description="What was done with what is known of her.")
class AccountedAct(StrEnum):
    DISCLOSED = Action.DISCLOSURE_MADE.value
    READ = Action.DISCLOSURE_READ.value
    NOTED = Action.REFERRAL_NOTED.value
    NOTES_READ = Action.REFERRAL_NOTES_READ.value
    COMPELLED = Action.ACT_CONFIRMED.value
    HANDED_OFF = Action.HANDOFF_MADE.value
    CALLED = Action.CALL_LOGGED.value


strawberry.enum(accounting.Standing, name="AccountingStanding", description="Whether trail and tables agree on a line.")


@strawberry.type(description="What was told of her once: to whom, when, under which release; not what it said.")
class AccountingLine:
    number: int = strawberry.field(description="From 1; what is added later comes after it.")
    at: datetime
    act: AccountedAct
    by: str = strawberry.field(description="The agency that told or read.")
    to: str | None = strawberry.field(description="An agency, a service, or whom a mandate names.")
    categories: list[Category]
    release_id: UUID | None
    signed_at: datetime | None = strawberry.field(description="When she signed that release.")
    why: str | None = strawberry.field(description="A code: why a copy was made, which mandate, what a call came to.")
    standing: accounting.Standing

    @classmethod
    def of(cls, line: accounting.Line) -> AccountingLine:
        return cls(
            number=line.number,
            at=line.at,
            act=AccountedAct(line.act.value),
            by=line.by,
            to=line.to,
            categories=list(line.categories),
            release_id=line.release_id,
            signed_at=line.signed_at,
            why=line.why,
            standing=line.standing,
        )


@strawberry.type
class AccountingEdge:
    node: AccountingLine
    cursor: str


@strawberry.type(description="A page of the accounting, earliest first.")
class AccountingConnection:
    edges: list[AccountingEdge]
    page_info: PageInfo
    agrees: bool = strawberry.field(description="Whether trail and tables agree on every line, of all pages.")


@strawberry.type
class AccountingQuery:
    @strawberry.field(description="All that was told of a survivor; wants a second factor. POST /papers prints it.")
    async def accounting(
        self, info: Info, survivor_id: UUID, first: int = 50, after: str | None = None
    ) -> AccountingConnection:
        async with info.context.reading(Permission.READ_ACCOUNTING) as (session, actor):
            size, past = page_size(first), _number(after)
            lines = await accounting.accounting_of(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            shown = lines[past : past + size]
            edges = [AccountingEdge(node=AccountingLine.of(line), cursor=encode_cursor(line.number)) for line in shown]
            page = PageInfo(has_next_page=past + size < len(lines), end_cursor=edges[-1].cursor if edges else None)
            agrees = all(line.standing is accounting.Standing.IN_BOTH for line in lines)
            return AccountingConnection(edges=edges, page_info=page, agrees=agrees)


def _number(cursor: str | None) -> int:
    """The number of the line that the page before ended with; the accounting only grows, so it keeps its place."""
    keys = decode_cursor(cursor)
    if keys is None:
        return 0
    if len(keys) != 1 or not isinstance(keys[0], int) or keys[0] < 0:
        raise InvalidInput(field="after", detail="It is not a cursor of this list.")
    return keys[0]
