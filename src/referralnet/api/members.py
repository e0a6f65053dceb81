"""The members of one's own agency, for its admin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.database.acting import Member, Role
from referralnet.identity import members
from referralnet.identity.access import Permission

_KEEP = Permission.KEEP_MEMBERS
Show = Callable[[AsyncSession, Member, UUID], Awaitable["AgencyMember"]]


@strawberry.type(description="A member of your own agency, as its admin sees them.")
class AgencyMember:
    id: UUID
    display_name: str
    login: str
    roles: list[Role]
    trained_until: date | None = strawberry.field(description="Until when their training counts; without it, no case.")
    disabled_at: datetime | None
    can_sign_in: bool = strawberry.field(description="They have chosen a password.")
    has_second_factor: bool
    signed_in_at: datetime | None = strawberry.field(description="When they signed in last.")
    open_sessions: int
    invited_until: datetime | None = strawberry.field(description="Until when their unused invitation holds.")

    @classmethod
    def of(cls, row: members.MemberRow) -> AgencyMember:
        return cls(
            id=row.id, display_name=row.display_name, login=row.login, roles=row.roles, trained_until=row.trained_until,
            disabled_at=row.disabled_at, can_sign_in=row.can_sign_in, has_second_factor=row.has_second_factor,
            signed_in_at=row.signed_in_at, open_sessions=row.open_sessions, invited_until=row.invited_until,
        )  # fmt: skip


@strawberry.type(description="An invitation: hand the code to the member yourself; it is told this once.")
class Invitation:
    member: AgencyMember
    invitation_code: str | None = strawberry.field(
        description="Opens the page /join once, for 48 hours. Null where this request was performed before."
    )


@strawberry.input(description="Somebody to invite.")
class NewMemberInput:
    login: str = strawberry.field(description="Their e-mail address.")
    display_name: str
    roles: list[Role]
    trained_until: date | None = None


AgencyMemberResult = Annotated[AgencyMember | Refused, strawberry.union("AgencyMemberResult")]
InvitationResult = Annotated[Invitation | Refused, strawberry.union("InvitationResult")]


@strawberry.type
class MemberQuery:
    @strawberry.field(description="For admins: everybody of one's agency, those who may sign in first, by name.")
    async def members(self, info: Info) -> list[AgencyMember]:
        async with info.context.reading(_KEEP) as (session, actor):
            rows = await members.list_members(session, actor, now=info.context.now)
            return [AgencyMember.of(row) for row in rows]


@strawberry.type
class MemberMutation:
    @strawberry.mutation(description="Add a member, who chooses a password and a second factor by the code.")
    async def invite_member(self, info: Info, idempotency_key: str, member: NewMemberInput) -> InvitationResult:
        made: list[str] = []

        async def act(session: AsyncSession, actor: Member) -> UUID:
            new = members.NewColleague(member.login, member.display_name, member.roles, member.trained_until)
            member_id, code = await members.invite(session, actor, new, now=info.context.now)
            made.append(code)
            return member_id

        return await perform(info, _KEEP, idempotency_key, member, act=act, show=_invitation(info, made))

    @strawberry.mutation(description="A new code for a member who lost password or authenticator.")
    async def invite_member_again(self, info: Info, idempotency_key: str, agency_member_id: UUID) -> InvitationResult:
        made: list[str] = []

        async def act(session: AsyncSession, actor: Member) -> UUID:
            made.append(await members.invite_again(session, actor, agency_member_id, now=info.context.now))
            return agency_member_id

        return await perform(info, _KEEP, idempotency_key, agency_member_id, act=act, show=_invitation(info, made))

    @strawberry.mutation(description="Give a member these roles and no others; open sessions follow at once.")
    async def change_member(
        self, info: Info, idempotency_key: str, agency_member_id: UUID, roles: list[Role],
        trained_until: date | None = None,
    ) -> AgencyMemberResult:  # fmt: skip
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await members.change(session, actor, agency_member_id, roles, trained_until)
            return agency_member_id

        content = [agency_member_id, roles, trained_until]
        return await perform(info, _KEEP, idempotency_key, content, act=act, show=_shown(info))

    @strawberry.mutation(description="Let a member in no longer, from this moment; their sessions end.")
    async def disable_member(self, info: Info, idempotency_key: str, agency_member_id: UUID) -> AgencyMemberResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await members.disable(session, actor, agency_member_id, now=info.context.now)
            return agency_member_id

        return await perform(info, _KEEP, idempotency_key, agency_member_id, act=act, show=_shown(info))

    @strawberry.mutation(description="Let a member in again, with the password and second factor they had.")
    async def enable_member(self, info: Info, idempotency_key: str, agency_member_id: UUID) -> AgencyMemberResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await members.enable(session, actor, agency_member_id)
            return agency_member_id

        return await perform(info, _KEEP, idempotency_key, agency_member_id, act=act, show=_shown(info))

    @strawberry.mutation(description="Sign a member out everywhere, programs as well.")
    async def end_member_sessions(self, info: Info, idempotency_key: str, agency_member_id: UUID) -> AgencyMemberResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await members.end_sessions(session, actor, agency_member_id, now=info.context.now)
            return agency_member_id

        return await perform(info, _KEEP, idempotency_key, agency_member_id, act=act, show=_shown(info))


def _shown(info: Info) -> Show:
    async def show(session: AsyncSession, actor: Member, member_id: UUID) -> AgencyMember:
        return AgencyMember.of(await members.find_colleague(session, actor, member_id, now=info.context.now))

    return show


def _invitation(info: Info, made: list[str]) -> Callable[[AsyncSession, Member, UUID], Awaitable[Invitation]]:
    async def show(session: AsyncSession, actor: Member, member_id: UUID) -> Invitation:
        member = await _shown(info)(session, actor, member_id)
        return Invitation(member=member, invitation_code=made[0] if made else None)

    return show
