"""Finding a survivor of one's own agency, and records that may be one person's. Labels and reasons, no identity."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.paging import page_size
from referralnet.api.performing import perform
from referralnet.api.survivors import AliasInput, PhoneInput
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.survivors import case_labels, likeness, searching
from referralnet.survivors.phone_numbers import normalise_phone
from referralnet.survivors.resembling import Reason, Resemblance
from referralnet.survivors.search_keys import Traits

strawberry.enum(Reason, name="ResemblanceReason", description="Why a record is there.")
strawberry.enum(likeness.Likeness, description="Whether two records are one person's.")


@strawberry.type(description="A record that answers; who it is, survivorIdentity tells with a second factor.")
class SurvivorMatch:
    id: UUID
    case_label: str | None
    reasons: list[Reason]


@strawberry.input(description="What is known of her before she is recorded.")
class SurvivorLooksInput:
    given_name: str
    family_name: str
    date_of_birth: date | None = None
    aliases: list[AliasInput] = strawberry.field(default_factory=list)
    phones: list[PhoneInput] = strawberry.field(default_factory=list)

    def traits(self) -> Traits:
        names = (self.given_name, self.family_name, *(alias.name for alias in self.aliases))
        phones = tuple(normalise_phone(phone.number, field="number") for phone in self.phones)
        return Traits(names, phones, self.date_of_birth)


@strawberry.type
class SurvivorSearchQuery:
    @strawberry.field(
        description="Your agency's survivors that answer to words, a number or a birth date, best first."
        " Capped per hour; the trail keeps what was found, not what was asked."
    )
    async def search_survivors(
        self,
        info: Info,
        words: str | None = None,
        phone: str | None = None,
        date_of_birth: date | None = None,
        first: int = 20,
    ) -> list[SurvivorMatch]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            keyring = info.context.resources.keyring
            asked = searching.Asked(words, phone, date_of_birth)
            found = await searching.search_survivors(session, actor, asked, keyring=keyring, first=page_size(first))
            return await _show(info, session, found)

    @strawberry.field(description="Your agency's records that look like somebody you are about to record.")
    async def survivors_like(self, info: Info, survivor: SurvivorLooksInput) -> list[SurvivorMatch]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            keyring = info.context.resources.keyring
            found = await likeness.survivors_like(session, actor, survivor.traits(), keyring=keyring)
            return await _show(info, session, found)

    @strawberry.field(description="Your agency's records that look like this one, without those judged already.")
    async def survivor_duplicates(self, info: Info, survivor_id: UUID) -> list[SurvivorMatch]:
        async with info.context.reading(Permission.KEEP_SURVIVORS) as (session, actor):
            keyring = info.context.resources.keyring
            found = await likeness.survivors_like_her(session, actor, survivor_id, keyring=keyring)
            return await _show(info, session, found)


@strawberry.type
class SurvivorSearchMutation:
    @strawberry.mutation(
        description="Say that two records are one person's, or two persons'. Of one person's records survivorId is kept"
        " and shown alone. A later word takes the place of the earlier: nothing is lost."
    )
    async def decide_likeness(
        self, info: Info, idempotency_key: str, survivor_id: UUID, other_id: UUID, decision: likeness.Likeness
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await likeness.decide_likeness(session, actor, survivor_id, other_id, decision, now=info.context.now)

        content = [survivor_id, other_id, decision]
        return await perform(info, Permission.KEEP_SURVIVORS, idempotency_key, content, act=act, show=show_done)


async def _show(info: Info, session: AsyncSession, found: list[Resemblance]) -> list[SurvivorMatch]:
    labels = await case_labels.open_labels(session, info.context.resources.keyring, [one.survivor_id for one in found])
    return [
        SurvivorMatch(id=one.survivor_id, case_label=labels.get(one.survivor_id), reasons=list(one.reasons))
        for one in found
    ]
