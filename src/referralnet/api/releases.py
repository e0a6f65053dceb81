"""Releases as the API tells them: proposed, signed or declined, renewed, narrowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.categories import Category
from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.performing import perform
from referralnet.consent import proposing, releases, signatures, signing
from referralnet.consent.ending import Via
from referralnet.consent.minors import Purpose, Signer
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.referrals import succeeding, withdrawing

strawberry.enum(Purpose, name="ReleasePurpose", description="What a release is for.")
strawberry.enum(Signer, name="ReleaseSigner", description="Who signed.")
strawberry.enum(releases.Method, name="ReleaseMethod", description="How a release was given.")
strawberry.enum(releases.ReleaseStatus, description="Codes of FHIR Consent.status.")
strawberry.enum(releases.Ended, name="ReleaseEnd", description="How a release came to its end.")
strawberry.enum(releases.Succession, name="ReleaseSuccession", description="Why a release follows another.")
strawberry.enum(signatures.SignatureKind, description="How she signed on a screen.")
strawberry.enum(Via, name="WithdrawalMethod", description="How she said that it ends.")


@strawberry.type(description="A release as its custodian sees it. It may be active and have expired: see isLive.")
class Release:
    id: UUID
    proposal_id: UUID = strawberry.field(description="Shared by the releases that were put before her together.")
    recipient_agency_id: UUID
    purpose: Purpose
    categories: list[Category]
    status: releases.ReleaseStatus
    starts_at: datetime
    expires_at: datetime
    is_live: bool = strawberry.field(description="Whether it is in force at this instant.")
    form_version: str
    form_language: str
    form_hash: str = strawberry.field(description="SHA-256 of the form's text, in hex.")
    form_text: str | None = strawberry.field(
        description="The words to read to her or with her; null where the published form is another by now."
    )
    signer: Signer | None = strawberry.field(description="Null until she has signed.")
    signer_id: UUID | None = strawberry.field(description="The guardian who signed with her.")
    method: releases.Method | None
    signed_at: datetime | None
    follows_release_id: UUID | None = strawberry.field(description="The release whose place it takes.")
    succession: releases.Succession | None
    ended_at: datetime | None
    ended_via: releases.Ended | None

    @classmethod
    def of(cls, row: releases.ReleaseRow, now: datetime) -> Release:
        return cls(
            id=row.id,
            proposal_id=row.proposal_id,
            recipient_agency_id=row.recipient_agency_id,
            purpose=row.purpose,
            categories=sorted(row.categories),
            status=row.status,
            starts_at=row.starts_at,
            expires_at=row.expires_at,
            is_live=row.is_live(now),
            form_version=row.form_version,
            form_language=row.form_language,
            form_hash=row.form_hash,
            form_text=row.form_text,
            signer=row.signer,
            signer_id=row.signer_id,
            method=row.method,
            signed_at=row.signed_at,
            follows_release_id=row.follows_release_id,
            succession=row.succession,
            ended_at=row.ended_at,
            ended_via=row.ended_via,
        )


@strawberry.type(description="Releases that were put before her together, each for one agency.")
class ReleasesProposed:
    releases: list[Release]


@strawberry.type(description="What she signed with on a screen. Each reading is written down.")
class ReleaseSignature:
    kind: signatures.SignatureKind
    content: str = strawberry.field(description="The data of an SVG path, a PNG in base64, or her typed name.")


@strawberry.input(description="A release to put before her: one agency, one purpose, named categories, a bounded time.")
class ReleaseProposalInput:
    recipient_agency_id: UUID
    purpose: Purpose
    categories: list[Category]
    form_language: str
    term_days: int = strawberry.field(default=proposing.TERM_DAYS_DEFAULT, description="1 to 365.")
    starts_at: datetime | None = strawberry.field(default=None, description="Now, where it is not given.")


@strawberry.input(description="A drawn line, a picture of one, or a typed name; sealed under her own key.")
class SignatureInput:
    kind: signatures.SignatureKind
    content: str = strawberry.field(
        description="The data of one SVG path (attribute d), a PNG in base64 of at most 30,000 bytes, or a name."
    )

    def drawn(self) -> signatures.Signature:
        return signatures.Signature(self.kind, self.content)


@strawberry.input(description="How she signed.")
class SignedInput:
    signer: Signer
    method: releases.Method
    witnessed_by: UUID | None = None
    paper_kept_by: UUID | None = strawberry.field(
        default=None, description="Who keeps the paper of a written release; you, where nobody is named."
    )
    signature: SignatureInput | None = strawberry.field(default=None, description="Of an electronic release.")
    signer_id: UUID | None = strawberry.field(default=None, description="The guardian, where one signs with her.")

    def signed(self) -> signing.Signed:
        drawn = self.signature.drawn() if self.signature else None
        return signing.Signed(self.signer, self.method, self.witnessed_by, self.paper_kept_by, drawn, self.signer_id)


@strawberry.input(description="A release she has signed: one agency, one purpose, named categories, a bounded time.")
class ReleaseInput:
    recipient_agency_id: UUID
    purpose: Purpose
    categories: list[Category]
    signer: Signer
    method: releases.Method
    form_language: str
    witnessed_by: UUID | None = None
    paper_kept_by: UUID | None = None
    signature: SignatureInput | None = None
    signer_id: UUID | None = strawberry.field(default=None, description="The guardian, where one signs with her.")
    term_days: int = strawberry.field(default=proposing.TERM_DAYS_DEFAULT, description="1 to 365.")
    starts_at: datetime | None = strawberry.field(default=None, description="Now, where it is not given.")

    def new(self) -> signing.NewRelease:
        return signing.NewRelease(
            recipient_agency_id=self.recipient_agency_id,
            purpose=self.purpose,
            categories=frozenset(self.categories),
            signer=self.signer,
            method=self.method,
            form_language=self.form_language,
            witnessed_by=self.witnessed_by,
            term_days=self.term_days,
            starts_at=self.starts_at,
            paper_kept_by=self.paper_kept_by,
            signature=self.signature.drawn() if self.signature else None,
            signer_id=self.signer_id,
        )


ReleaseResult = Annotated[Release | Refused, strawberry.union("ReleaseResult")]
ReleasesProposedResult = Annotated[ReleasesProposed | Refused, strawberry.union("ReleasesProposedResult")]


@strawberry.type
class ReleaseQuery:
    @strawberry.field(description="A survivor's releases, newest first, ended ones included.")
    async def releases(self, info: Info, survivor_id: UUID) -> list[Release]:
        async with info.context.reading(Permission.RECORD_RELEASES) as (session, actor):
            rows = await releases.list_releases(session, actor, survivor_id)
            return [Release.of(row, info.context.now) for row in rows]

    @strawberry.field(description="What she signed a release with on a screen; wants a second factor.")
    async def release_signature(self, info: Info, release_id: UUID) -> ReleaseSignature | None:
        async with info.context.reading(Permission.RECORD_RELEASES) as (session, actor):
            keyring, now = info.context.resources.keyring, info.context.now
            found = await signing.read_signature(session, actor, release_id, keyring=keyring, now=now)
            return None if found is None else ReleaseSignature(kind=found.kind, content=found.content)


@strawberry.type
class ReleaseMutation:
    @strawberry.mutation(description="Put releases before her to read, each for one agency. None is in force yet.")
    async def propose_releases(
        self, info: Info, idempotency_key: str, survivor_id: UUID, proposals: list[ReleaseProposalInput]
    ) -> ReleasesProposedResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            wanted = [
                proposing.Proposal(
                    recipient_agency_id=one.recipient_agency_id,
                    purpose=one.purpose,
                    categories=frozenset(one.categories),
                    form_language=one.form_language,
                    term_days=one.term_days,
                    starts_at=one.starts_at,
                )
                for one in proposals
            ]
            return await proposing.propose_releases(session, actor, survivor_id, wanted, now=info.context.now)

        async def show(session: AsyncSession, actor: Member, proposal_id: UUID) -> ReleasesProposed:
            rows = await releases.proposed_together(session, actor, proposal_id)
            return ReleasesProposed(releases=[Release.of(row, info.context.now) for row in rows])

        content = [survivor_id, proposals]
        return await perform(info, Permission.RECORD_RELEASES, idempotency_key, content, act=act, show=show)

    @strawberry.mutation(
        description="She signs a proposed release: it is in force. A renewal takes the old one's place."
    )
    async def sign_release(
        self, info: Info, idempotency_key: str, release_id: UUID, signed: SignedInput
    ) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            keyring, now = info.context.resources.keyring, info.context.now
            await succeeding.sign_release(session, actor, release_id, signed.signed(), keyring=keyring, now=now)
            return release_id

        content = [release_id, signed]
        return await perform(
            info, Permission.RECORD_RELEASES, idempotency_key, content, act=act, show=_show_release(info)
        )

    @strawberry.mutation(description="She does not sign. Directory help and a handoff by hand are hers all the same.")
    async def decline_release(self, info: Info, idempotency_key: str, release_id: UUID) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await proposing.decline_release(session, actor, release_id, now=info.context.now)
            return release_id

        return await perform(
            info, Permission.RECORD_RELEASES, idempotency_key, release_id, act=act, show=_show_release(info)
        )

    @strawberry.mutation(description="Record a release that she has signed already, on paper or before a witness.")
    async def record_release(
        self, info: Info, idempotency_key: str, survivor_id: UUID, release: ReleaseInput
    ) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            keyring, now = info.context.resources.keyring, info.context.now
            return await signing.record_release(session, actor, survivor_id, release.new(), keyring=keyring, now=now)

        content = [survivor_id, release]
        return await perform(
            info, Permission.RECORD_RELEASES, idempotency_key, content, act=act, show=_show_release(info)
        )

    @strawberry.mutation(description="Put before her a release that follows another without a gap, once she signs it.")
    async def renew_release(
        self,
        info: Info,
        idempotency_key: str,
        release_id: UUID,
        term_days: int = proposing.TERM_DAYS_DEFAULT,
        form_language: str | None = None,
    ) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await proposing.propose_renewal(
                session, actor, release_id, term_days=term_days, form_language=form_language, now=info.context.now
            )

        content = [release_id, term_days, form_language]
        return await perform(
            info, Permission.RECORD_RELEASES, idempotency_key, content, act=act, show=_show_release(info)
        )

    @strawberry.mutation(
        description="She leaves out categories or wants an earlier end. What is left out cannot be read from then on."
    )
    async def narrow_release(
        self,
        info: Info,
        idempotency_key: str,
        release_id: UUID,
        via: Via,
        categories: list[Category] | None = None,
        expires_at: datetime | None = None,
    ) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await succeeding.narrow_release(
                session,
                actor,
                release_id,
                categories=None if categories is None else frozenset(categories),
                expires_at=expires_at,
                via=via,
                keyring=info.context.resources.keyring,
                now=info.context.now,
            )

        content = [release_id, via, categories, expires_at]
        return await perform(
            info, Permission.READ_REFERRALS, idempotency_key, content, act=act, show=_show_release(info)
        )

    @strawberry.mutation(description="A release should never have been. It ends, with what stands on it.")
    async def mark_release_entered_in_error(self, info: Info, idempotency_key: str, release_id: UUID) -> ReleaseResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await withdrawing.mark_release_entered_in_error(session, actor, release_id, now=info.context.now)
            return release_id

        return await perform(
            info, Permission.RECORD_RELEASES, idempotency_key, release_id, act=act, show=_show_release(info)
        )


def _show_release(info: Info) -> Callable[[AsyncSession, Member, UUID], Awaitable[Release]]:
    async def show(session: AsyncSession, actor: Member, release_id: UUID) -> Release:
        return Release.of(await releases.release(session, actor, release_id), info.context.now)

    return show
