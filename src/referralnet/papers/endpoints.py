"""POST /papers/release and /papers/accounting: what she may carry home, as a PDF."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.downloads import Asked, Download, Downloads
from referralnet.consent.printing import release_to_print
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.identity.agencies import agency
from referralnet.papers.wording import Words, words_in
from referralnet.referrals.accounting import accounting_of


def routes(resources: Resources) -> list[Route]:
    """The two addresses."""
    downloads, printer = Downloads(resources), _Printer(resources)
    return [
        downloads.route("/papers/release", Permission.RECORD_RELEASES, printer.release, method="POST"),
        downloads.route("/papers/accounting", Permission.READ_ACCOUNTING, printer.accounting, method="POST"),
    ]


class _Printer:
    """Reads what is to be printed; it is drawn after that is committed."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def release(self, session: AsyncSession, actor: Member, asked: Asked) -> Download:
        """Her copy of a release, in the language asked for or that of the form she was shown."""
        now, language = self._resources.clock.now(), _language(asked)
        found = await release_to_print(session, actor, _id(asked, "releaseId"), now=now)
        words = words_in(language or found.row.form_language)

        def draw() -> bytes:
            from referralnet.papers.release_paper import print_release  # noqa: PLC0415 (as below)

            return print_release(found, words, now)

        return _paper(draw, words)

    async def accounting(self, session: AsyncSession, actor: Member, asked: Asked) -> Download:
        """Her accounting of disclosures, in English where no language is asked for."""
        now, words = self._resources.clock.now(), words_in(_language(asked) or "en")
        survivor_id = _id(asked, "survivorId")
        lines = await accounting_of(session, actor, survivor_id, keyring=self._resources.keyring, now=now)
        custodian = await agency(session, actor.agency_id)

        def draw() -> bytes:
            # What draws takes half a second to import: the first paper pays it, and not each start.
            from referralnet.papers.accounting_paper import print_accounting  # noqa: PLC0415

            return print_accounting(lines, custodian, words, now)

        return _paper(draw, words)


def _paper(draw: Callable[[], bytes], words: Words) -> Download:
    return Download(draw, "application/pdf", words.say("sheet", "file"))


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
