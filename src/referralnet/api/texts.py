"""What became of each text, as the API tells it to the agency that sent it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from referralnet.api.context import Info
from referralnet.identity.access import Permission
from referralnet.messaging import reading
from referralnet.messaging.tables import TextState

strawberry.enum(TextState, description="Where a text is.")


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


@strawberry.type
class TextQuery:
    @strawberry.field(description="The texts about a referral your agency made; none for any other agency.")
    async def texts(self, info: Info, referral_id: UUID) -> list[Text]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, _):
            return [
                Text(
                    id=row.id,
                    kind=row.kind,
                    due_at=row.due_at,
                    send_before=row.send_before,
                    state=row.state,
                    state_at=row.state_at,
                    attempts=row.attempts,
                    error_code=row.error_code,
                )
                for row in await reading.list_texts(session, referral_id)
            ]
