"""A referral as one of its two parties: what is asked, how it stands, and what can be done next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.responses import Response

from referralnet.consent.releases import ReleaseRow, list_releases
from referralnet.console.forms import CODE, Form
from referralnet.console.phrases import REFUSED
from referralnet.console.places import referral_address
from referralnet.console.referral_view import look_at
from referralnet.console.serving import PageRequest
from referralnet.console.words import Words
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, is_permitted, require
from referralnet.identity.profiles import own_profile
from referralnet.referrals.cases import case_of
from referralnet.referrals.handing_over import HandoffKind
from referralnet.referrals.lifecycle import Outcome, RejectReason

WHOLE_PAGE = frozenset({"ILLEGAL_TRANSITION", "FILLED", "NO_CAPACITY", "NO_BOOKED_APPOINTMENT", "REFERRAL_OVER"})
"""Refusals that are no fault of a field: it stands otherwise than when the page was made."""
NOTHING_SHOWN: Mapping[str, Any] = {"disclosure": None, "notes": None}


async def show(request: PageRequest) -> Response:
    """The page."""
    return await referral_page(request, opened(request))


def opened(request: PageRequest) -> UUID:
    """The referral of this address.

    Raises:
        NotFound: it opens nothing in this session.
    """
    return request.opened("referral")


async def referral_page(
    request: PageRequest,
    referral_id: UUID,
    *,
    refusal: Refusal | None = None,
    typed: Form | None = None,
    shown: Mapping[str, Any] = NOTHING_SHOWN,
) -> Response:
    """The page as it stands now, with what was refused and what was typed; `shown` is what was opened for once."""
    actor = request.member
    require(actor, Permission.READ_REFERRALS)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        view = await look_at(session, actor, referral_id, now=request.now)
        person, need, releases, is_told = None, None, list[ReleaseRow](), False
        if not view.received and is_permitted(actor, Permission.KEEP_SURVIVORS):
            case = await case_of(session, actor, referral_id)
            person = f"/people/{request.handle('survivor', case.survivor_id)}"
            need = f"/needs/{request.handle('need', case.need_id)}"
            is_told = case.release_id is not None
            if view.may_be_told and not is_told:
                hers = await list_releases(session, actor, case.survivor_id)
                agency_id = view.referral.target_agency_id
                releases = [row for row in hers if row.recipient_agency_id == agency_id and row.is_live(request.now)]
    return request.page(
        "request.html",
        422 if refusal else 200,
        profile=profile,
        view=view,
        person=person,
        need=need,
        releases=releases,
        is_told=is_told,
        here=referral_address(request, referral_id),
        refusal=refusal,
        wrong=wrong_fields(request, refusal),
        typed=typed or Form(),
        reasons=tuple(RejectReason),
        outcomes=tuple(Outcome),
        handoff_kinds=tuple(HandoffKind),
        **shown,
    )


def wrong_fields(request: PageRequest, refusal: Refusal | None) -> dict[str, str]:
    """What is wrong, by the field that it stands beside; by "" where the whole page stands otherwise by now."""
    if refusal is None:
        return {}
    if refusal.code in WHOLE_PAGE:
        return {"": Words(request.language).said(REFUSED.get(refusal.code, refusal.sentence()))}
    field = {"referral_id": "", "code": CODE}.get(refusal.field or "", refusal.field or "")
    return {field: Words(request.language).refused(refusal)}
