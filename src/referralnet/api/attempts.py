"""A refused attempt in the trail: its own transaction was rolled back with whatever it recorded."""

from __future__ import annotations

from referralnet.api.context import Resources
from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import Refusal


async def record_attempt(resources: Resources, actor: Member, operation: str, refusal: Refusal) -> None:
    """Note in a transaction of its own what a member tried, where the refusal belongs in the trail."""
    if not refusal.audited:
        return
    async with resources.database.transaction(actor) as session:
        await record(session, Action.ATTEMPT_REFUSED, "member", actor.member_id, operation=operation, code=refusal.code)
