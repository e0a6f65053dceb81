"""Who may sign for a minor, as her own agency keeps it, and the mark of an abuser (C7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import marking
from referralnet.survivors import abuser_marks, signers

strawberry.enum(
    signers.Relationship,
    name="SignerRelationship",
    description="By what somebody may sign: as parent, as guardian appointed by a court, as agent of either by a power"
    " of attorney, or for the state in whose custody she is.",
)
strawberry.enum(abuser_marks.AbuserOf, description="Whom somebody who may sign for her has abused.")


@strawberry.type(description="A mark as abuser; in force until it is taken back.")
class AbuserMark:
    id: UUID
    abuser_of: abuser_marks.AbuserOf
    marked_by: UUID
    marked_at: datetime
    lifted_by: UUID | None
    lifted_at: datetime | None


@strawberry.type(description="Somebody who may sign releases with her while she is a minor; disclosed to nobody.")
class SurvivorSigner:
    id: UUID
    name: str
    relationship: signers.Relationship
    recorded_at: datetime
    removed_at: datetime | None
    marks: list[AbuserMark] = strawberry.field(description="Oldest first, those too that were taken back.")

    @classmethod
    def of(cls, found: signers.Signer) -> SurvivorSigner:
        marks = [
            AbuserMark(
                id=mark.id,
                abuser_of=mark.abuser_of,
                marked_by=mark.marked_by,
                marked_at=mark.marked_at,
                lifted_by=mark.lifted_by,
                lifted_at=mark.lifted_at,
            )
            for mark in found.marks
        ]
        return cls(
            id=found.id,
            name=found.name,
            relationship=found.relationship,
            recorded_at=found.recorded_at,
            removed_at=found.removed_at,
            marks=marks,
        )


@strawberry.input(description="Somebody who may sign for her; where an office may, its person.")
class SignerInput:
    name: str
    relationship: signers.Relationship

    def new(self) -> signers.NewSigner:
        return signers.NewSigner(self.name, self.relationship)


@strawberry.type
class SurvivorSignerMutation:
    @strawberry.mutation(description="Keep somebody who may sign for her; answers with their id.")
    async def add_survivor_signer(
        self, info: Info, idempotency_key: str, survivor_id: UUID, signer: SignerInput
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await signers.add_signer(
                session, actor, survivor_id, signer.new(), keyring=info.context.resources.keyring, now=info.context.now
            )

        return await _perform(info, idempotency_key, [survivor_id, signer], act)

    @strawberry.mutation(description="Somebody may sign for her no more. What they signed stands.")
    async def remove_survivor_signer(self, info: Info, idempotency_key: str, signer_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await signers.remove_signer(session, actor, signer_id, now=info.context.now)
            return signer_id

        return await _perform(info, idempotency_key, signer_id, act)

    @strawberry.mutation(
        description="Somebody who may sign has abused her, or her other parent: what they signed ends at once, and they"
        " sign nothing more. Answers with the mark's id."
    )
    async def mark_signer_as_abuser(
        self, info: Info, idempotency_key: str, signer_id: UUID, abuser_of: abuser_marks.AbuserOf
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await marking.mark_signer_as_abuser(
                session, actor, signer_id, abuser_of=abuser_of, now=info.context.now
            )

        return await _perform(info, idempotency_key, [signer_id, abuser_of], act)

    @strawberry.mutation(
        description="Take a mark back that was a mistake; wants a fresh second factor. What it ended stays ended."
    )
    async def lift_abuser_mark(self, info: Info, idempotency_key: str, mark_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await abuser_marks.lift_mark(session, actor, mark_id, now=info.context.now)
            return mark_id

        return await _perform(info, idempotency_key, mark_id, act)


async def _perform(
    info: Info, idempotency_key: str, content: object, act: Callable[[AsyncSession, Member], Awaitable[UUID]]
) -> DoneResult:
    return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)
