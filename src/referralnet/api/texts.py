"""What became of each text, as the API tells it to the agency that sent it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from referralnet.api.context import Info
from referralnet.identity.access import Permission
from referralnet.messaging import reading
from referralnet.messaging.delivery import Line, describe_delivery
from referralnet.messaging.tables import TextState

strawberry.enum(TextState, description="Where a text is.")
strawberry.enum(Line, name="DeliveryLine", description="Where a text stands, as people think of it.")


@strawberry.type(description="Where a text stands, in words for the people who sent it.")
class Delivery:
    line: Line
    says: str
    to_do: str | None = strawberry.field(description="Null where nobody has to do anything.")


@strawberry.type(description="One text to the survivor: its moment and its state, never its number or its words.")
class Text:
    id: UUID
    kind: str
    due_at: datetime
    send_before: datetime = strawberry.field(description="Her safe window's end: later it is not sent.")
    state: TextState
    state_at: datetime
    attempts: int
    error_code: str | None = strawberry.field(description="The carrier's code, or ours, where it did not go well.")
    delivery: Delivery

    @classmethod
    def of(cls, row: reading.TextRow) -> Text:
        told = describe_delivery(row.state, row.error_code, waits_for_carrier=row.waits_for_carrier)
        return cls(
            id=row.id,
            kind=row.kind,
            due_at=row.due_at,
            send_before=row.send_before,
            state=row.state,
            state_at=row.state_at,
            attempts=row.attempts,
            error_code=row.error_code,
            delivery=Delivery(line=told.line, says=told.says, to_do=told.to_do),
        )


@strawberry.type
class TextQuery:
    @strawberry.field(description="The texts about a referral your agency made; none for any other agency.")
    async def texts(self, info: Info, referral_id: UUID) -> list[Text]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, _):
            return [Text.of(row) for row in await reading.list_texts(session, referral_id)]

    @strawberry.field(description="Every text to a survivor of your agency's, whatever it is about.")
    async def texts_to_survivor(self, info: Info, survivor_id: UUID) -> list[Text]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, _):
            return [Text.of(row) for row in await reading.list_texts_to(session, survivor_id)]
