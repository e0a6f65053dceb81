"""The published wording as members look at it: how a text looks, what it costs, and whether a label is neutral."""

from __future__ import annotations

from datetime import datetime

import strawberry

from referralnet.api.context import Info
from referralnet.identity.access import Permission
from referralnet.messaging import wording
from referralnet.messaging.label_wording import Fault, faults_of_label
from referralnet.messaging.previewing import TIME_ZONE, preview_texts
from referralnet.messaging.segments import Encoding, cost

strawberry.enum(Encoding, name="TextEncoding", description="The alphabet a carrier sends a text in.")
strawberry.enum(Fault, name="LabelFaultKind", description="Why words cannot be a label.")


@strawberry.type(description="One text as a phone would show it. It holds no survivor's data.")
class TextPreview:
    kind: str
    body: str
    encoding: Encoding
    units: int = strawberry.field(description="Letters, as this encoding counts them.")
    segments: int = strawberry.field(description="What the carrier bills.")
    draft: bool = strawberry.field(description="True where nobody has reviewed the language: it is never sent.")


@strawberry.type(description="One thing that speaks against words as a label.")
class LabelFault:
    fault: Fault
    word: str | None = strawberry.field(description="The word, folded to plain letters, where there is one.")
    says: str


@strawberry.type(description="What speaks against words as a label that texts open with.")
class LabelCheck:
    neutral: bool = strawberry.field(description="True where nothing does.")
    faults: list[LabelFault]
    encoding: Encoding = strawberry.field(
        description="UCS-2 where a letter of it makes every text with this label cost about twice as much."
    )


@strawberry.type
class WordingQuery:
    @strawberry.field(description="Every text of a language, as it would be sent: body, segments and encoding.")
    async def preview_texts(
        self,
        info: Info,
        language: str,
        sender_label: str | None = None,
        starts_at: datetime | None = None,
        time_zone: str = TIME_ZONE,
    ) -> list[TextPreview]:
        async with info.context.reading(Permission.SEARCH_DIRECTORY):
            shown = preview_texts(
                language, label=sender_label, starts_at=starts_at, time_zone=time_zone, now=info.context.now
            )
            return [
                TextPreview(
                    kind=one.message,
                    body=one.body,
                    encoding=one.cost.encoding,
                    units=one.cost.units,
                    segments=one.cost.segments,
                    draft=wording.is_draft(language),
                )
                for one in shown
            ]

    @strawberry.field(description="Whether words could be a label, while one writes them: nothing is kept.")
    async def check_label(self, info: Info, words: str) -> LabelCheck:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            faults = await faults_of_label(session, words)
        return LabelCheck(
            neutral=not faults,
            faults=[LabelFault(fault=one.fault, word=one.word, says=one.in_words) for one in faults],
            encoding=cost(words).encoding,
        )
