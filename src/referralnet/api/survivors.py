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
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import contact_plans, needs, recording
from referralnet.survivors.safe_windows import SafeWindow

strawberry.enum(contact_plans.OptInMethod, description="How she agreed to texts (47 CFR 64.1200).")
strawberry.enum(needs.Urgency, description="How soon an answer is needed.")
strawberry.enum(needs.AgeBand, description="Age in bands wide enough to name nobody.")
strawberry.enum(needs.Accessibility, description="What a place must have so that she can use it.")


@strawberry.type(description="A survivor as a list shows her: not at all.")
class Survivor:
    id: UUID
    created_at: datetime


@strawberry.type(description="Who a survivor is. Each reading is written to the trail.")
class SurvivorIdentity:
    id: UUID
    given_name: str
    family_name: str
    date_of_birth: date | None
    safety_note: str | None


@strawberry.input(description="A survivor to take into your agency's custody; every field is sealed.")
class SurvivorInput:
    given_name: str
    family_name: str = strawberry.field(description="A dash, where she does not want to say.")
    date_of_birth: date | None = None
    safety_note: str | None = None


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


@strawberry.input(description="What she asks for, in codes and counts, so that it tells nobody who she is.")
class NeedInput:
    service_type: str = strawberry.field(description="A code of the published taxonomy, e.g. emergency_shelter.")
    urgency: needs.Urgency
    region: str = strawberry.field(description="A state (US-IL) or the first three digits of a ZIP code.")
    language: str
    household_size: int
    age_band: needs.AgeBand
    accessibility: list[needs.Accessibility] = strawberry.field(default_factory=list)
    immigration_sensitive: bool


@strawberry.type
class SurvivorQuery:
    @strawberry.field(description="The survivors in your agency's custody, newest first, without identity.")
    async def survivors(self, info: Info, first: int = 20) -> list[Survivor]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            rows = await recording.list_survivors(session, actor, first=page_size(first))
            return [Survivor(id=row.id, created_at=row.created_at) for row in rows]

    @strawberry.field(description="Who a survivor of your agency is; wants a fresh second factor.")
    async def survivor_identity(self, info: Info, survivor_id: UUID) -> SurvivorIdentity:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            found = await recording.reveal_survivor(
                session, actor, survivor_id, keyring=info.context.resources.keyring, now=info.context.now
            )
            return SurvivorIdentity(
                id=found.id,
                given_name=found.given_name,
                family_name=found.family_name,
                date_of_birth=found.date_of_birth,
                safety_note=found.safety_note,
            )


@strawberry.type
class SurvivorMutation:
    @strawberry.mutation(description="Take a survivor into your agency's custody; answers with her id.")
    async def record_survivor(self, info: Info, idempotency_key: str, survivor: SurvivorInput) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            new = recording.NewSurvivor(
                given_name=survivor.given_name,
                family_name=survivor.family_name,
                date_of_birth=survivor.date_of_birth,
                safety_note=survivor.safety_note,
            )
            return await recording.record_survivor(
                session, actor, new, keyring=info.context.resources.keyring, now=info.context.now
            )

        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, survivor, act=act, show=show_done)

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

    @strawberry.mutation(description="Record what she asks for; answers with the need's id.")
    async def record_need(self, info: Info, idempotency_key: str, survivor_id: UUID, need: NeedInput) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            new = needs.NewNeed(
                service_type=need.service_type,
                urgency=need.urgency,
                region=need.region,
                language=need.language,
                household_size=need.household_size,
                age_band=need.age_band,
                accessibility=frozenset(need.accessibility),
                immigration_sensitive=need.immigration_sensitive,
            )
            return await needs.record_need(session, actor, survivor_id, new, now=info.context.now)

        content = [survivor_id, need]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)


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
    )
