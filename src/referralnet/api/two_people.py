"""What takes two people: lifting a block, and a disclosure that the law compels."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.consent import compelled
from referralnet.consent.categories import Category
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import two_people

strawberry.enum(two_people.ActKind, name="TwoPersonActKind", description="What takes two people.")
strawberry.enum(two_people.Decision, name="TwoPersonDecision", description="What came of a proposal.")
strawberry.enum(compelled.Mandate, description="What compels a disclosure (28 CFR 94.115(c)).")


@strawberry.type(description="What one coordinator proposed, and another confirms until it expires.")
class TwoPersonAct:
    id: UUID
    kind: two_people.ActKind
    survivor_id: UUID
    subject_id: UUID = strawberry.field(description="The block, or the compelled disclosure.")
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decision: two_people.Decision | None
    decided_at: datetime | None

    @classmethod
    def of(cls, row: two_people.ActRow) -> TwoPersonAct:
        return cls(
            id=row.id,
            kind=row.kind,
            survivor_id=row.survivor_id,
            subject_id=row.subject_id,
            proposed_by=row.proposed_by,
            proposed_at=row.proposed_at,
            expires_at=row.expires_at,
            decision=row.decision,
            decided_at=row.decided_at,
        )


@strawberry.type(description="What was told of her under a mandate, for her accounting of disclosures.")
class ToldUnderMandate:
    id: UUID
    mandate: compelled.Mandate
    authority: str
    reference: str
    recipient: str
    mandated_on: date
    categories: list[Category]
    told_at: datetime


@strawberry.input(description="A mandate, and the least that it makes your agency tell.")
class CompelledInput:
    mandate: compelled.Mandate
    authority: str = strawberry.field(description="The court or authority that issued it, or the statute.")
    reference: str = strawberry.field(description="Its number.")
    recipient: str = strawberry.field(description="Who is told; in the network or not.")
    mandated_on: date
    categories: list[Category]


TwoPersonActResult = Annotated[TwoPersonAct | Refused, strawberry.union("TwoPersonActResult")]


async def show_act(session: AsyncSession, actor: Member, act_id: UUID) -> TwoPersonAct:
    return TwoPersonAct.of(await two_people.act(session, actor, act_id))


@strawberry.type
class TwoPeopleQuery:
    @strawberry.field(description="What was proposed about a survivor, newest first, decided or not.")
    async def two_person_acts(self, info: Info, survivor_id: UUID) -> list[TwoPersonAct]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            return [TwoPersonAct.of(row) for row in await two_people.list_acts(session, actor, survivor_id)]

    @strawberry.field(description="All that was told of a survivor under mandates; wants a second factor.")
    async def told_under_mandates(self, info: Info, survivor_id: UUID) -> list[ToldUnderMandate]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            rows = await compelled.told_under_mandates(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return [
                ToldUnderMandate(
                    id=row.id,
                    mandate=row.mandate,
                    authority=row.authority,
                    reference=row.reference,
                    recipient=row.recipient,
                    mandated_on=row.mandated_on,
                    categories=sorted(row.categories),
                    told_at=row.told_at,
                )
                for row in rows
                if row.told_at is not None
            ]


@strawberry.type
class TwoPeopleMutation:
    @strawberry.mutation(description="Propose to lift a block; it holds until another coordinator confirms.")
    async def propose_lifting_block(self, info: Info, idempotency_key: str, block_id: UUID) -> TwoPersonActResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await two_people.propose_lifting(session, actor, block_id, now=info.context.now)

        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, block_id, act=act, show=show_act)

    @strawberry.mutation(
        description="Record a mandate and propose to follow it; nothing may be told until another confirms."
    )
    async def propose_compelled_disclosure(
        self, info: Info, idempotency_key: str, survivor_id: UUID, compelled_disclosure: CompelledInput
    ) -> TwoPersonActResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            new = compelled.NewCompelled(
                mandate=compelled_disclosure.mandate,
                authority=compelled_disclosure.authority,
                reference=compelled_disclosure.reference,
                recipient=compelled_disclosure.recipient,
                mandated_on=compelled_disclosure.mandated_on,
                categories=frozenset(compelled_disclosure.categories),
            )
            keyring = info.context.resources.keyring
            return await compelled.propose_compelled(
                session, actor, survivor_id, new, keyring=keyring, now=info.context.now
            )

        content = [survivor_id, compelled_disclosure]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_act)

    @strawberry.mutation(description="Confirm what another coordinator proposed; wants a second factor.")
    async def confirm_act(self, info: Info, idempotency_key: str, act_id: UUID) -> TwoPersonActResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await two_people.confirm(session, actor, act_id, now=info.context.now)
            return act_id

        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, act_id, act=act, show=show_act)

    @strawberry.mutation(description="Take a proposal back: nothing was done, and nothing will be.")
    async def cancel_act(self, info: Info, idempotency_key: str, act_id: UUID) -> TwoPersonActResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await two_people.cancel(session, actor, act_id, now=info.context.now)
            return act_id

        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, act_id, act=act, show=show_act)
