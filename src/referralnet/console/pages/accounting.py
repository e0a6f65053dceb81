"""Who was told what of her, on the screen: the same lines as the paper, in her coordinator's language or in hers."""

from __future__ import annotations

from starlette.responses import Response

from referralnet.console.serving import PageRequest
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.papers.accounting_rows import headings_of, rows_of
from referralnet.papers.wording import words_in
from referralnet.referrals.accounting import accounting_of
from referralnet.survivors.case_labels import open_labels


async def show(request: PageRequest) -> Response:
    """Every line, the newest first; the reading wants a second factor, and stands in the trail."""
    actor, survivor_id = request.member, request.opened("survivor")
    require(actor, Permission.READ_ACCOUNTING)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        lines = await accounting_of(session, actor, survivor_id, keyring=request.keyring, now=request.now)
        labels = await open_labels(session, request.keyring, [survivor_id])
    words = words_in(request.language)
    return request.page(
        "people/told.html",
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        label=labels.get(survivor_id),
        headings=headings_of(words),
        rows=rows_of(lines, words, profile.time_zone)[::-1],
    )
