"""Agencies and imports of the directory, for whoever administers the network; never a case (A4)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.identity import Agency, DoneResult, show_done
from referralnet.api.paging import page_size
from referralnet.api.performing import perform
from referralnet.database.acting import AgencyKind, Member
from referralnet.directory import requests
from referralnet.identity import agencies, founding
from referralnet.identity.access import Permission

strawberry.enum(requests.RequestKind, name="DirectoryRequestKind", description="What was asked of the directory.")
strawberry.enum(requests.RequestState, name="DirectoryRequestState", description="How far it is.")
_KEEP, _IMPORT = Permission.KEEP_AGENCIES, Permission.IMPORT_DIRECTORY


@strawberry.type(description="An agency as whoever keeps the network sees it: how many work there, never who.")
class NetworkAgency:
    id: UUID
    name: str
    kind: AgencyKind
    regime: str = strawberry.field(description="The law that keeps its records confidential.")
    time_zone: str
    active: bool
    is_listed: bool = strawberry.field(description="It keeps an organization of the directory.")
    members: int
    admins: int
    has_begun: bool = strawberry.field(description="Somebody there signs in: its own admins invite from now on.")


@strawberry.type(description="The first admin of a new agency: hand the code over yourself; it is told this once.")
class FirstAdmin:
    agency_id: UUID
    invitation_code: str | None = strawberry.field(description="Null where this request was performed before.")


@strawberry.type(description="Something that was asked of the directory, and how far it is.")
class DirectoryRequest:
    id: UUID
    kind: requests.RequestKind
    state: requests.RequestState
    asked_at: datetime
    file_name: str | None
    package: str | None
    rows_read: int
    working_on: str | None
    settled_at: datetime | None
    problems: int | None
    entries_changed: int | None
    refusal: str | None = strawberry.field(description="Why nothing was done.")

    @classmethod
    def of(cls, row: requests.RequestRow) -> DirectoryRequest:
        return cls(
            id=row.id, kind=row.kind, state=row.state, asked_at=row.asked_at, file_name=row.file_name,
            package=row.package, rows_read=row.rows_read, working_on=row.working_on, settled_at=row.settled_at,
            problems=row.problems, entries_changed=row.entries_changed, refusal=row.refusal,
        )  # fmt: skip


@strawberry.type(description="One line of an import's report: where, what became of it, what to do; never the value.")
class ImportProblem:
    position: int
    severity: str
    file: str
    line: int
    column: str
    message: str
    hint: str


@strawberry.type(description="An import that changed something.")
class DirectoryImport:
    id: UUID
    package: str
    finished_at: datetime
    rows_changed: int
    undone_at: datetime | None
    is_newest: bool = strawberry.field(description="The newest of its package, which alone can be taken back.")


@strawberry.input(description="An agency to add.")
class NewAgencyInput:
    name: str
    kind: AgencyKind
    regime: str
    time_zone: str = "America/Chicago"


AgencyResult = Annotated[Agency | Refused, strawberry.union("AgencyResult")]
FirstAdminResult = Annotated[FirstAdmin | Refused, strawberry.union("FirstAdminResult")]
DirectoryRequestResult = Annotated[DirectoryRequest | Refused, strawberry.union("DirectoryRequestResult")]


@strawberry.type
class NetworkQuery:
    @strawberry.field(description="For network admins: every agency, those turned off last.")
    async def network_agencies(self, info: Info) -> list[NetworkAgency]:
        async with info.context.reading(_KEEP) as (session, actor):
            return [
                NetworkAgency(
                    id=row.id, name=row.name, kind=row.kind, regime=row.regime, time_zone=row.time_zone,
                    active=row.active, is_listed=row.is_listed, members=row.members, admins=row.admins,
                    has_begun=row.has_begun,
                )
                for row in await founding.network_agencies(session, actor)
            ]  # fmt: skip

    @strawberry.field(description="For network admins: what was asked of the directory, newest first.")
    async def directory_requests(self, info: Info, first: int = 20) -> list[DirectoryRequest]:
        async with info.context.reading(_IMPORT) as (session, actor):
            rows = await requests.list_requests(session, actor, first=page_size(first))
            return [DirectoryRequest.of(row) for row in rows]

    @strawberry.field(description="For network admins: the lines of an import's report, from a position on.")
    async def import_report(
        self, info: Info, directory_request_id: UUID, after: int = 0, first: int = 50
    ) -> list[ImportProblem]:
        async with info.context.reading(_IMPORT) as (session, actor):
            page = page_size(first)
            rows = await requests.report_page(session, actor, directory_request_id, after=after, first=page)
            return [
                ImportProblem(
                    position=row.position, severity=row.severity, file=row.file, line=row.line, column=row.field,
                    message=row.message, hint=row.hint,
                )
                for row in rows
            ]  # fmt: skip

    @strawberry.field(description="For network admins: imports that changed something, newest first.")
    async def directory_imports(self, info: Info, first: int = 20) -> list[DirectoryImport]:
        async with info.context.reading(_IMPORT) as (session, actor):
            return [
                DirectoryImport(
                    id=row.id, package=row.package, finished_at=row.finished_at, rows_changed=row.rows_changed,
                    undone_at=row.undone_at, is_newest=row.is_newest,
                )
                for row in await requests.list_imports(session, actor, first=page_size(first))
            ]  # fmt: skip


@strawberry.type
class NetworkMutation:
    @strawberry.mutation(description="Add an agency to the network; nobody works there yet.")
    async def add_agency(self, info: Info, idempotency_key: str, agency: NewAgencyInput) -> AgencyResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            new = founding.NewAgency(agency.name, agency.kind, agency.regime, agency.time_zone)
            return await founding.found(session, actor, new)

        return await perform(info, _KEEP, idempotency_key, agency, act=act, show=_show_agency)

    @strawberry.mutation(description="Invite the first admin of an agency where nobody can sign in yet.")
    async def appoint_first_admin(
        self, info: Info, idempotency_key: str, agency_id: UUID, login: str, display_name: str
    ) -> FirstAdminResult:
        made: list[str] = []

        async def act(session: AsyncSession, actor: Member) -> UUID:
            now = info.context.now
            made.append(await founding.appoint(session, actor, agency_id, login, display_name, now=now))
            return agency_id

        async def show(_session: AsyncSession, _actor: Member, shown_id: UUID) -> FirstAdmin:
            return FirstAdmin(agency_id=shown_id, invitation_code=made[0] if made else None)

        return await perform(info, _KEEP, idempotency_key, [agency_id, login, display_name], act=act, show=show)

    @strawberry.mutation(description="Turn an agency off, whose members may do nothing then, or on again.")
    async def set_agency_active(self, info: Info, idempotency_key: str, agency_id: UUID, active: bool) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await founding.set_active(session, actor, agency_id, active=active)
            return agency_id

        return await perform(info, _KEEP, idempotency_key, [agency_id, active], act=act, show=show_done)

    @strawberry.mutation(description="Have the newest import of a package taken back; how it went is told later.")
    async def undo_directory_import(
        self, info: Info, idempotency_key: str, directory_import_id: UUID
    ) -> DirectoryRequestResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await requests.ask_undo(session, actor, directory_import_id, now=info.context.now)

        return await perform(info, _IMPORT, idempotency_key, directory_import_id, act=act, show=_show_request)


async def _show_agency(session: AsyncSession, _actor: Member, agency_id: UUID) -> Agency:
    return Agency.of(await agencies.agency(session, agency_id))


async def _show_request(session: AsyncSession, actor: Member, request_id: UUID) -> DirectoryRequest:
    return DirectoryRequest.of(await requests.find_request(session, actor, request_id))
