"""What a survivor wrote in words of her own, as her coordinators read it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from referralnet.api.context import Info
from referralnet.identity.access import Permission
from referralnet.messaging import words


@strawberry.type(description="A text from her number that was none of the answers. It may be anybody's with her phone.")
class SurvivorWords:
    id: UUID
    words: str
    received_at: datetime


@strawberry.type
class SurvivorWordsQuery:
    @strawberry.field(
        description="What came from her number in words, the newest first, of the last 30 days; wants a fresh second"
        " factor."
    )
    async def survivor_words(self, info: Info, survivor_id: UUID) -> list[SurvivorWords]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            kept = await words.read_words(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return [SurvivorWords(id=one.id, words=one.words, received_at=one.received_at) for one in kept]
