"""Where a thing is done, by what kind of thing it is: the addresses of pages of people (decision 0117)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from referralnet.console.handles import Kind

if TYPE_CHECKING:
    from referralnet.console.serving import PageRequest

PLACES: dict[str, tuple[str, Kind]] = {
    "referral": ("/requests", "referral"),
    "routing_plan": ("/plans", "plan"),
    "handoff": ("/calls", "handoff"),
    "text_message": ("/texts", "text"),
    "survivor": ("/people", "survivor"),
    "release": ("/releases", "release"),
}
"""By what a task calls its subject."""


def place_of(request: PageRequest, subject_kind: str, subject_id: UUID) -> str | None:
    """The address of the page on which a task's subject is dealt with; None where there is none."""
    if subject_kind not in PLACES:
        return None
    path, kind = PLACES[subject_kind]
    return f"{path}/{request.handle(kind, subject_id)}"


def referral_address(request: PageRequest, referral_id: UUID) -> str:
    """The address of a referral's page, in this session."""
    return f"/requests/{request.handle('referral', referral_id)}"
