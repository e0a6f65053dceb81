"""What else is kept of a survivor: other names, numbers, notes by category, and what was there before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.api.survivor_signers import SurvivorSigner
from referralnet.api.survivors import AliasInput, PhoneInput, SurvivorNote, show_note
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import aliases, contact_plan_history, notes, phone_numbers, revealing
from referralnet.survivors.contact_plans import OptInMethod


@strawberry.type(description="What a field said until it was corrected.")
class SurvivorFormerValue:
    field: str
    value: str | None = strawberry.field(description="None where nothing had been recorded.")
    corrected_by: UUID | None
    corrected_at: datetime


@strawberry.type(description="What her record said before. Each reading is written to the trail.")
class SurvivorHistory:
    corrections: list[SurvivorFormerValue] = strawberry.field(description="Newest first.")
    notes: list[SurvivorNote] = strawberry.field(description="Every version of every note, newest first.")
    signers: list[SurvivorSigner] = strawberry.field(description="Who may sign with her, or might once.")


@strawberry.type(description="One keeping of a contact plan.")
class ContactPlanVersion:
    version: int
    phone: str = strawberry.field(description="E.164.")
    language: str
    time_zone: str
    safe_windows: str
    sender_label: str
    code_phrase: str | None
    voicemail_ok: bool
    opted_in_at: datetime | None
    opt_in_method: OptInMethod | None
    reconfirm_by: date
    status_digest: bool
    changed: list[str] = strawberry.field(description="What was other in the version before; all of it in the first.")
    kept_by: UUID | None
    kept_at: datetime

    @classmethod
    def of(cls, kept: contact_plan_history.KeptPlan) -> ContactPlanVersion:
        terms = kept.terms
        return cls(
            version=kept.version,
            phone=terms.phone,
            language=terms.language,
            time_zone=terms.time_zone,
            safe_windows=terms.safe_windows,
            sender_label=terms.sender_label,
            code_phrase=terms.code_phrase,
            voicemail_ok=terms.voicemail_ok,
            opted_in_at=terms.opted_in_at,
            opt_in_method=None if terms.opt_in_method is None else OptInMethod(terms.opt_in_method),
            reconfirm_by=terms.reconfirm_by,
            status_digest=terms.status_digest,
            changed=list(kept.changed),
            kept_by=kept.kept_by,
            kept_at=kept.kept_at,
        )


@strawberry.type(description="How a survivor may be reached, and how she might be before.")
class ContactPlanHistory:
    versions: list[ContactPlanVersion] = strawberry.field(description="The present one first.")
    paused_reason: str | None = strawberry.field(description="Why nothing is texted, if it is paused.")


@strawberry.type
class SurvivorRecordQuery:
    @strawberry.field(description="Her contact plan and every one before it; wants a fresh second factor.")
    async def contact_plans(self, info: Info, survivor_id: UUID) -> ContactPlanHistory:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            found = await contact_plan_history.read_contact_plans(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            versions = [ContactPlanVersion.of(kept) for kept in found.versions]
            return ContactPlanHistory(versions=versions, paused_reason=found.paused_reason)

    @strawberry.field(description="What a survivor's record said before; wants a fresh second factor.")
    async def survivor_history(self, info: Info, survivor_id: UUID) -> SurvivorHistory:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            found = await revealing.read_history(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            corrections = [
                SurvivorFormerValue(
                    field=one.of_field,
                    value=one.value,
                    corrected_by=one.corrected_by,
                    corrected_at=one.corrected_at,
                )
                for one in found.corrections
            ]
            return SurvivorHistory(
                corrections=corrections,
                notes=[show_note(note) for note in found.notes],
                signers=[SurvivorSigner.of(one) for one in found.signers],
            )


@strawberry.type
class SurvivorRecordMutation:
    @strawberry.mutation(description="Keep another name of hers; answers with its id.")
    async def add_survivor_alias(
        self, info: Info, idempotency_key: str, survivor_id: UUID, alias: AliasInput
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await aliases.add_alias(
                session, actor, survivor_id, alias.new(), keyring=info.context.resources.keyring, now=info.context.now
            )

        return await _perform(info, idempotency_key, [survivor_id, alias], act)

    @strawberry.mutation(description="Take another name out of use: it finds her no more.")
    async def remove_survivor_alias(self, info: Info, idempotency_key: str, alias_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await aliases.remove_alias(
                session, actor, alias_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return alias_id

        return await _perform(info, idempotency_key, alias_id, act)

    @strawberry.mutation(description="Keep a number of hers; answers with its id. One called unsafe pauses its texts.")
    async def add_survivor_phone(
        self, info: Info, idempotency_key: str, survivor_id: UUID, phone: PhoneInput
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await phone_numbers.add_phone(
                session, actor, survivor_id, phone.new(), keyring=info.context.resources.keyring, now=info.context.now
            )

        return await _perform(info, idempotency_key, [survivor_id, phone], act)

    @strawberry.mutation(description="Say that a number is safe, or no longer is: then texts to it pause.")
    async def mark_survivor_phone(self, info: Info, idempotency_key: str, phone_id: UUID, safe: bool) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await phone_numbers.mark_phone(
                session, actor, phone_id, safe=safe, keyring=info.context.resources.keyring, now=info.context.now
            )
            return phone_id

        return await _perform(info, idempotency_key, [phone_id, safe], act)

    @strawberry.mutation(description="Take a number out of use: it finds her no more.")
    async def remove_survivor_phone(self, info: Info, idempotency_key: str, phone_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await phone_numbers.remove_phone(
                session, actor, phone_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return phone_id

        return await _perform(info, idempotency_key, phone_id, act)

    @strawberry.mutation(description="Write the next version of a note; without a text it is emptied.")
    async def write_survivor_note(
        self,
        info: Info,
        idempotency_key: str,
        survivor_id: UUID,
        category: notes.NoteCategory,
        text: str | None,
        after_version: int,
    ) -> DoneResult:
        """`after_version` is the version that was read, 0 where there was none."""

        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await notes.write_note(
                session,
                actor,
                survivor_id,
                category,
                text,
                after_version=after_version,
                keyring=info.context.resources.keyring,
                now=info.context.now,
            )

        return await _perform(info, idempotency_key, [survivor_id, category, text, after_version], act)


async def _perform(
    info: Info, idempotency_key: str, content: object, act: Callable[[AsyncSession, Member], Awaitable[UUID]]
) -> DoneResult:
    return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)
