"""POST /papers/release and /papers/accounting: what she may carry home, as a PDF."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.downloads import Asked, Download, Downloads
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.papers.making import Paper, accounting_paper, release_paper


def routes(resources: Resources) -> list[Route]:
    """The two addresses."""
    downloads, printer = Downloads(resources), _Printer(resources)
    return [
        downloads.route("/papers/release", Permission.RECORD_RELEASES, printer.release, method="POST"),
        downloads.route("/papers/accounting", Permission.READ_ACCOUNTING, printer.accounting, method="POST"),
    ]


class _Printer:
    """Reads from the body which paper is asked for."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def release(self, session: AsyncSession, actor: Member, asked: Asked) -> Download:
        """Her copy of a release."""
        now, language = self._resources.clock.now(), _language(asked)
        return _sent(await release_paper(session, actor, _id(asked, "releaseId"), language=language, now=now))

    async def accounting(self, session: AsyncSession, actor: Member, asked: Asked) -> Download:
        """Her accounting of disclosures."""
        keyring, now, language = self._resources.keyring, self._resources.clock.now(), _language(asked)
        survivor_id = _id(asked, "survivorId")
        return _sent(await accounting_paper(session, actor, survivor_id, language=language, keyring=keyring, now=now))


def _sent(paper: Paper) -> Download:
    return Download(paper.draw, "application/pdf", paper.file_name)


def _id(asked: Asked, name: str) -> UUID:
    try:
        return UUID(str(asked.body.get(name)))
    except ValueError:
        raise InvalidInput(field=name, detail="An id.") from None


def _language(asked: Asked) -> str | None:
    language = asked.body.get("language")
    if language is not None and not isinstance(language, str):
        raise InvalidInput(field="language", detail="A code, such as es.")
    return language
