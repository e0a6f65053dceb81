"""Survivors in your agency's custody: recorded sealed, shown only after a fresh second factor."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.paging import page_size
from referralnet.api.performing import perform
from referralnet.api.survivor_signers import SurvivorSigner
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import aliases, contact_plans, correcting, notes, phone_numbers, recording, revealing
from referralnet.survivors.safe_windows import SafeWindow

strawberry.enum(contact_plans.OptInMethod, description="How she agreed to texts (47 CFR 64.1200).")


strawberry.enum(correcting.Clearable, description="What may be emptied; a name may be replaced only.")
strawberry.enum(aliases.AliasKind, description="What another name is to her; IMPOSED: never call her by it.")
strawberry.enum(phone_numbers.PhoneKind, description="Whose phone it is.")
strawberry.enum(notes.NoteCategory, description="What a note is about; GENERAL is disclosed to nobody.")


@strawberry.type(description="A survivor as a list shows her: not at all, but for a neutral label.")
class Survivor:
    id: UUID
    case_label: str | None = strawberry.field(
        description="Chosen by your agency, or by chance; it says nothing of her."
    )
    created_at: datetime


@strawberry.type(description="Another name of hers.")
class SurvivorAlias:
    id: UUID
    name: str
    kind: aliases.AliasKind


@strawberry.type(description="A number at which she is known.")
class SurvivorPhone:
    id: UUID
    number: str = strawberry.field(description="E.164.")
    kind: phone_numbers.PhoneKind
    safe: bool


@strawberry.type(description="One version of a note; versions count from 1.")
class SurvivorNote:
    category: notes.NoteCategory
    version: int
    text: str | None = strawberry.field(description="None where the note was emptied.")
    written_by: UUID
    written_at: datetime


@strawberry.type(description="Who a survivor is. Each reading is written to the trail.")
class SurvivorIdentity:
    id: UUID
    given_name: str
    family_name: str
    date_of_birth: date | None
    safety_note: str | None = strawberry.field(description="The present note on her safety; notes has them all.")
    pronouns: str | None
    case_label: str | None
    aliases: list[SurvivorAlias]
    phones: list[SurvivorPhone]
    signers: list[SurvivorSigner] = strawberry.field(description="Who may sign with her while she is a minor.")
    notes: list[SurvivorNote]

    @classmethod
    def of(cls, found: revealing.SurvivorIdentity) -> SurvivorIdentity:
        return cls(
            id=found.id,
            given_name=found.given_name,
            family_name=found.family_name,
            date_of_birth=found.date_of_birth,
            safety_note=found.note(notes.NoteCategory.SAFETY),
            pronouns=found.pronouns,
            case_label=found.case_label,
            aliases=[SurvivorAlias(id=one.id, name=one.name, kind=one.kind) for one in found.aliases],
            phones=[SurvivorPhone(id=one.id, number=one.number, kind=one.kind, safe=one.safe) for one in found.phones],
            signers=[SurvivorSigner.of(one) for one in found.signers],
            notes=[show_note(note) for note in found.notes],
        )


@strawberry.input(description="Another name to keep.")
class AliasInput:
    name: str
    kind: aliases.AliasKind

    def new(self) -> aliases.NewAlias:
        return aliases.NewAlias(self.name, self.kind)


@strawberry.input(description="A number to keep.")
class PhoneInput:
    number: str
    kind: phone_numbers.PhoneKind
    safe: bool = strawberry.field(description="Her own word on it.")

    def new(self) -> phone_numbers.NewPhone:
        return phone_numbers.NewPhone(self.number, self.kind, self.safe)


@strawberry.input(description="A survivor to take into your agency's custody; every field is sealed.")
class SurvivorInput:
    given_name: str
    family_name: str = strawberry.field(description="A dash, where she does not want to say.")
    date_of_birth: date | None = None
    safety_note: str | None = None
    pronouns: str | None = None
    case_label: str | None = strawberry.field(
        default=None, description="Words that are nobody's; one is made by chance where none is given."
    )
    aliases: list[AliasInput] = strawberry.field(default_factory=list)
    phones: list[PhoneInput] = strawberry.field(default_factory=list)
    not_the_same_as: list[UUID] = strawberry.field(
        default_factory=list, description="Records that look like hers (survivorsLike) and are somebody else's."
    )

    def new(self) -> recording.NewSurvivor:
        return recording.NewSurvivor(
            given_name=self.given_name,
            family_name=self.family_name,
            date_of_birth=self.date_of_birth,
            safety_note=self.safety_note,
            pronouns=self.pronouns,
            case_label=self.case_label,
            aliases=tuple(alias.new() for alias in self.aliases),
            phones=tuple(phone.new() for phone in self.phones),
            not_the_same_as=frozenset(self.not_the_same_as),
        )


@strawberry.input(description="What is right instead; what is left out stays as it is.")
class SurvivorCorrectionInput:
    given_name: str | None = None
    family_name: str | None = None
    date_of_birth: date | None = None
    pronouns: str | None = None
    case_label: str | None = None
    cleared: list[correcting.Clearable] = strawberry.field(default_factory=list, description="To be emptied.")
    keep_former_name: bool = strawberry.field(default=False, description="Keep the name that was there as an alias.")

    def correction(self) -> correcting.Correction:
        return correcting.Correction(
            given_name=self.given_name,
            family_name=self.family_name,
            date_of_birth=self.date_of_birth,
            pronouns=self.pronouns,
            case_label=self.case_label,
            cleared=frozenset(self.cleared),
            keep_former_name=self.keep_former_name,
        )


@strawberry.input(description="Hours in which her phone is safe, in her time zone.")
class SafeWindowInput:
    weekdays: list[int] = strawberry.field(description="Monday is 0, Sunday 6.")
    start: str = strawberry.field(description="HH:MM.")
    end: str = strawberry.field(description="HH:MM; before the start, it is the next day's.")


@strawberry.input(description="How she may be reached. Without her agreement to texts, none is sent.")
class ContactPlanInput:
    phone: str
    language: str = strawberry.field(description="Of the texts: a language there is wording for, e.g. es.")
    time_zone: str
    safe_windows: list[SafeWindowInput]
    sender_label: str = strawberry.field(description="A neutral label from notifications/labels.toml.")
    code_phrase: str | None = None
    voicemail_ok: bool = False
    opted_in: bool
    opt_in_method: contact_plans.OptInMethod | None = None
    reconfirm_by: date = strawberry.field(description="From then on nothing is sent until she confirms the number.")
    status_digest: bool = strawberry.field(
        default=False,
        description="She chose a text that says there is news, and not what, when a referral is answered or runs out.",
    )


@strawberry.type
class SurvivorQuery:
    @strawberry.field(description="The survivors in your agency's custody, newest first, without identity.")
    async def survivors(self, info: Info, first: int = 20) -> list[Survivor]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            keyring = info.context.resources.keyring
            rows = await recording.list_survivors(session, actor, keyring=keyring, first=page_size(first))
            return [Survivor(id=row.id, case_label=row.case_label, created_at=row.created_at) for row in rows]

    @strawberry.field(description="Who a survivor of your agency is; wants a fresh second factor.")
    async def survivor_identity(self, info: Info, survivor_id: UUID) -> SurvivorIdentity:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            found = await revealing.reveal_survivor(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return SurvivorIdentity.of(found)


@strawberry.type
class SurvivorMutation:
    @strawberry.mutation(description="Take a survivor into your agency's custody; answers with her id.")
    async def record_survivor(self, info: Info, idempotency_key: str, survivor: SurvivorInput) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await recording.record_survivor(
                session, actor, survivor.new(), keyring=info.context.resources.keyring, now=info.context.now
            )

        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, survivor, act=act, show=show_done)

    @strawberry.mutation(description="Correct who she is; what was there is kept, sealed, in her history.")
    async def correct_survivor(
        self, info: Info, idempotency_key: str, survivor_id: UUID, correction: SurvivorCorrectionInput
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await correcting.correct_survivor(
                session,
                actor,
                survivor_id,
                correction.correction(),
                keyring=info.context.resources.keyring,
                now=info.context.now,
            )
            return survivor_id

        content = [survivor_id, correction]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)

    @strawberry.mutation(description="Keep how she may be reached, in place of what was kept before.")
    async def keep_contact_plan(
        self, info: Info, idempotency_key: str, survivor_id: UUID, plan: ContactPlanInput
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await contact_plans.keep_contact_plan(
                session,
                actor,
                survivor_id,
                _new_plan(plan),
                keyring=info.context.resources.keyring,
                now=info.context.now,
            )

        content = [survivor_id, plan]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)


def show_note(note: notes.Note) -> SurvivorNote:
    """One version of a note as the API tells it."""
    return SurvivorNote(
        category=note.category,
        version=note.version,
        text=note.text,
        written_by=note.written_by,
        written_at=note.written_at,
    )


def _new_plan(plan: ContactPlanInput) -> contact_plans.NewContactPlan:
    return contact_plans.NewContactPlan(
        phone=plan.phone,
        language=plan.language,
        time_zone=plan.time_zone,
        safe_windows=tuple(SafeWindow(tuple(w.weekdays), w.start, w.end) for w in plan.safe_windows),
        sender_label=plan.sender_label,
        code_phrase=plan.code_phrase,
        voicemail_ok=plan.voicemail_ok,
        opted_in=plan.opted_in,
        opt_in_method=plan.opt_in_method,
        reconfirm_by=plan.reconfirm_by,
        status_digest=plan.status_digest,
    )
