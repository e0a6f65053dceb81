"""An agency's own referrals as a file: POST, because making one is an act that is counted and traced."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.downloads import Asked, Download, Downloads
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.referrals.exporting import export_referrals

_ANSWERS = {"": False, "no": False, "yes": True}


def routes(resources: Resources) -> list[Route]:
    """The referrals that the member's agency made, from one day to another."""

    async def make(session: AsyncSession, actor: Member, asked: Asked) -> Download:
        identity = asked.query.get("identity", "")
        if identity not in _ANSWERS:
            raise InvalidInput(field="identity", detail="Write yes or no.")
        exported = await export_referrals(
            session,
            actor,
            asked.day("from"),
            asked.day("to"),
            with_identity=_ANSWERS[identity],
            keyring=resources.keyring,
            now=resources.clock.now(),
        )
        return Download(exported.content, "text/csv; charset=utf-8", "referrals.csv")

    return [Downloads(resources).route("/downloads/referrals.csv", Permission.EXPORT_REFERRALS, make, method="POST")]
