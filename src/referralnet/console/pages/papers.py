"""The papers that she may carry home, as files that say nothing in their names: her release, and who was told what."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.serving import PageRequest
from referralnet.identity.access import Permission, require
from referralnet.papers.making import Paper, accounting_paper, release_paper

_KEPT_NOWHERE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


async def of_release(request: PageRequest) -> Response:
    """Her copy of a release, in the language of the page that she was shown, or in another."""
    form, release_id = await request.form(), request.opened("release")
    require(request.member, Permission.RECORD_RELEASES)
    async with request.transaction() as session:
        paper = await release_paper(session, request.member, release_id, language=_language(form), now=request.now)
    return await _sent(paper)


async def of_accounting(request: PageRequest) -> Response:
    """Who was told what of her, when, and under which release."""
    form, survivor_id = await request.form(), request.opened("survivor")
    require(request.member, Permission.READ_ACCOUNTING)
    async with request.transaction() as session:
        paper = await accounting_paper(
            session, request.member, survivor_id, language=_language(form), keyring=request.keyring, now=request.now
        )
    return await _sent(paper)


def _language(form: Form) -> str | None:
    return form.words("language")


async def _sent(paper: Paper) -> Response:
    content = await asyncio.to_thread(paper.draw)
    named = {"content-disposition": f'attachment; filename="{paper.file_name}"'}
    return Response(content, headers=_KEPT_NOWHERE | named, media_type="application/pdf")
