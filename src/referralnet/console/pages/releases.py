"""A release before her: her own page to read, in her language, and how she signs it, or does not."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.minors import Signer
from referralnet.consent.proposing import decline_release
from referralnet.consent.releases import Method, ReleaseStatus, release
from referralnet.consent.signatures import Signature, SignatureKind
from referralnet.consent.signing import Signed
from referralnet.console.forms import Form
from referralnet.console.her_form import parts_of
from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen, listed_id
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.trail import Trail, read_trail
from referralnet.database.acting import Member, Role
from referralnet.errors import Refusal
from referralnet.identity.access import Permission
from referralnet.identity.agencies import agency_names
from referralnet.identity.colleagues import Colleague, list_colleagues
from referralnet.identity.profiles import own_profile
from referralnet.papers.wording import paper_languages, words_in
from referralnet.referrals.succeeding import sign_release
from referralnet.survivors.case_labels import open_labels
from referralnet.survivors.revealing import SurvivorIdentity, reveal_survivor

FIELDS = {"signature.content": "signature", "paper_kept_by": "method", "signer": "signer_id"}
"""What the areas call a field, and what the form does."""


async def show(request: PageRequest) -> Response:
    """What she is asked, in her words."""
    return await _page(request, read_trail(request))


async def sign(request: PageRequest) -> Response:
    """She signs; or the names of those who may sign with her are asked for first."""
    form, release_id = await request.form(), request.opened("release")
    trail = read_trail(request, form)
    if form.get("act") == "guardians":
        return await _page(request, trail, form, with_guardians=True)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await sign_release(session, actor, release_id, _signed(request, form), keyring=request.keyring, now=request.now)
        return release_id

    try:
        await perform(request, Permission.RECORD_RELEASES, act)
    except Refusal as refusal:
        return await _page(request, trail, form, refusal, with_guardians="signer_id" in form)
    return await _go_on(request, trail, release_id, Told.SIGNED)


async def decline(request: PageRequest) -> Response:
    """She does not sign; everything else is hers all the same."""
    form, release_id = await request.form(), request.opened("release")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await decline_release(session, actor, release_id, now=request.now)
        return release_id

    await perform(request, Permission.RECORD_RELEASES, act)
    return await _go_on(request, read_trail(request, form), release_id, Told.NOT_SIGNED)


async def _go_on(request: PageRequest, trail: Trail, release_id: UUID, told: Told) -> Response:
    if trail.need:
        request.open_handle("need", trail.need)
        return request.go_to(f"/needs/{trail.need}/consent?{trail.query}", told)
    async with request.transaction() as session:
        survivor_id = (await release(session, request.member, release_id)).survivor_id
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}#releases", told)


def _signed(request: PageRequest, form: Form) -> Signed:
    method, guardian = chosen(form, "method", Method), form.words("signer_id")
    return Signed(
        signer=Signer.GUARDIAN if guardian else Signer.SURVIVOR,
        method=method,
        witnessed_by=listed_id(form, "witnessed_by") if method is Method.WITNESSED else None,
        signature=Signature(SignatureKind.TYPED, form.get("signature", "")) if method is Method.ELECTRONIC else None,
        signer_id=request.open_handle("signer", guardian) if guardian else None,
    )


async def _page(
    request: PageRequest,
    trail: Trail,
    typed: Form | None = None,
    refusal: Refusal | None = None,
    *,
    with_guardians: bool = False,
) -> Response:
    actor, release_id = request.member, request.opened("release")
    identity: SurvivorIdentity | None = None
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        row = await release(session, actor, release_id)
        names = await agency_names(session, [row.recipient_agency_id, actor.agency_id])
        labels = await open_labels(session, request.keyring, [row.survivor_id])
        witnesses = await _witnesses(session, actor)
        if with_guardians:
            identity = await reveal_survivor(session, actor, row.survivor_id, keyring=request.keyring, now=request.now)
    language = row.form_language if row.form_language in paper_languages() else "en"
    return request.page(
        "people/release.html",
        422 if refusal else 200,
        profile=profile,
        here=f"/releases/{request.handle('release', release_id)}",
        person=f"/people/{request.handle('survivor', row.survivor_id)}",
        row=row,
        waits=row.status is ReleaseStatus.PROPOSED and request.now < row.expires_at,
        label=labels.get(row.survivor_id),
        asks=names[actor.agency_id],
        told_agency=names[row.recipient_agency_id],
        hers=words_in(language),
        form_parts=parts_of(row.form_text or ""),
        trail=trail,
        typed=typed or Form(),
        methods=(Method.ELECTRONIC, Method.WRITTEN, Method.WITNESSED),
        witnesses=witnesses,
        signers=None if identity is None else identity.signers,
        wrong=_wrong(request, refusal),
    )


async def _witnesses(session: AsyncSession, actor: Member) -> list[Colleague]:
    found = {one.id: one for role in (Role.COORDINATOR, Role.INTAKE) for one in await list_colleagues(session, role)}
    found.pop(actor.member_id, None)
    return sorted(found.values(), key=lambda one: one.display_name)


def _wrong(request: PageRequest, refusal: Refusal | None) -> dict[str, str]:
    if refusal is None:
        return {}
    return {FIELDS.get(field, field): said for field, said in request.errors(refusal).items()}
