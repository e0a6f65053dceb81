"""Signing in, stepping up, agencies and tasks, as the API tells them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.errors import Refusal
from referralnet.identity import agencies, sessions, sign_in, step_up, tasks
from referralnet.identity.access import Permission

strawberry.enum(AgencyKind, description="What an agency of the network is.")
strawberry.enum(Role, description="What a member does at an agency.")
strawberry.enum(sessions.SessionKind, description="A person's browser, ended when idle, or a program's token.")


@strawberry.type(description="A member organization of the network, with staff.")
class Agency:
    id: UUID
    name: str
    kind: AgencyKind
    time_zone: str = strawberry.field(description="IANA name.")

    @classmethod
    def of(cls, row: agencies.AgencyRow) -> Agency:
        return cls(id=row.id, name=row.name, kind=row.kind, time_zone=row.time_zone)


@strawberry.type(description="Whoever this token speaks for.")
class Me:
    member_id: UUID
    agency_id: UUID
    agency_kind: AgencyKind
    roles: list[Role]
    identity_open_until: datetime | None = strawberry.field(
        description="Until when identity may be shown after stepping up."
    )


@strawberry.type(description="Something that waits for a person of your agency.")
class Task:
    id: UUID
    kind: str
    subject_kind: str
    subject_id: UUID
    opened_at: datetime

    @classmethod
    def of(cls, row: tasks.TaskRow) -> Task:
        return cls(
            id=row.id,
            kind=row.kind,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            opened_at=row.opened_at,
        )


@strawberry.type(description="A new session. The token is told this once.")
class SignedIn:
    token: str
    expires_at: datetime


@strawberry.type(description="The second factor was right.")
class SteppedUp:
    identity_open_until: datetime


@strawberry.type(description="It is done.")
class Done:
    id: UUID = strawberry.field(description="Of what it was done to.")


SignInResult = Annotated[SignedIn | Refused, strawberry.union("SignInResult")]
StepUpResult = Annotated[SteppedUp | Refused, strawberry.union("StepUpResult")]
DoneResult = Annotated[Done | Refused, strawberry.union("DoneResult")]


async def show_done(_session: AsyncSession, _actor: Member, result_id: UUID) -> Done:
    return Done(id=result_id)


@strawberry.type
class IdentityQuery:
    @strawberry.field(description="Whoever this token speaks for.")
    async def me(self, info: Info) -> Me:
        actor = info.context.require_actor()
        return Me(
            member_id=actor.member_id,
            agency_id=actor.agency_id,
            agency_kind=actor.agency_kind,
            roles=sorted(actor.roles),
            identity_open_until=actor.stepped_up_at and actor.stepped_up_at + step_up.FRESH_FOR,
        )

    @strawberry.field(description="Every agency of the network, by name.")
    async def agencies(self, info: Info) -> list[Agency]:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            return [Agency.of(row) for row in await agencies.list_agencies(session)]


@strawberry.type
class IdentityMutation:
    @strawberry.mutation(
        description="Open a session. The answer is the same for a wrong password and an unknown login."
    )
    async def sign_in(
        self, info: Info, login: str, password: str, kind: sessions.SessionKind = sessions.SessionKind.API
    ) -> SignInResult:
        resources = info.context.resources
        lifetime = (
            timedelta(hours=resources.settings.session_hours_max)
            if kind is sessions.SessionKind.BROWSER
            else timedelta(days=resources.settings.api_token_days_max)
        )
        opened = await sign_in.sign_in(
            resources.database, login, password, kind,
            lifetime=lifetime, keyring=resources.keyring, now=info.context.now,
        )  # fmt: skip
        if isinstance(opened, Refusal):
            return Refused.of(opened)
        return SignedIn(token=opened.token, expires_at=opened.expires_at)

    @strawberry.mutation(description="End the session this request came with.")
    async def sign_out(self, info: Info) -> Done:
        context = info.context
        actor = context.require_actor()
        async with context.resources.database.transaction(actor) as session:
            await sessions.revoke(session, actor, now=context.now)
        return Done(id=actor.session_id)

    @strawberry.mutation(description="Prove your second factor: identity may be shown for five minutes.")
    async def step_up(self, info: Info, code: str) -> StepUpResult:
        context = info.context
        actor = context.require_actor()
        async with context.resources.database.transaction(actor) as session:
            proven = await step_up.step_up(session, actor, code, keyring=context.resources.keyring, now=context.now)
        return Refused.of(proven) if isinstance(proven, Refusal) else SteppedUp(identity_open_until=proven)

    @strawberry.mutation(description="Mark one of your agency's tasks as done.")
    async def close_task(self, info: Info, idempotency_key: str, task_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await tasks.close_task(session, actor, task_id, now=info.context.now)
            return task_id

        return await perform(info, Permission.READ_REFERRALS, idempotency_key, task_id, act=act, show=show_done)
