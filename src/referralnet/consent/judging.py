"""Whether a release allows a disclosure, judged at this instant. Pure; row security judges the same again (C2, C3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from referralnet.consent.categories import Category
from referralnet.consent.refusals import (
    CategoryNotReleased,
    NoLiveRelease,
    ReleaseExpired,
    ReleaseNamesAnotherAgency,
    ReleaseNotStarted,
    ReleaseWithdrawn,
)


@dataclass(frozen=True, slots=True)
class Released:
    """What a release allows. `data_key_id` is None until it is signed."""

    id: UUID
    agency_id: UUID
    recipient_agency_id: UUID
    data_key_id: UUID | None
    categories: list[str]
    status: str
    starts_at: datetime
    expires_at: datetime

    @property
    def required_key_id(self) -> UUID:
        """The key of a release that was judged to be in force."""
        assert self.data_key_id is not None, "the database lets no release be active without a key"
        return self.data_key_id


def judge(released: Released, recipient_agency_id: UUID, categories: frozenset[Category], now: datetime) -> None:
    """Refuse what the survivor did not allow; there is no way to ask for an exception (C10).

    Raises:
        ReleaseNamesAnotherAgency, ReleaseWithdrawn, NoLiveRelease, ReleaseNotStarted, ReleaseExpired,
        CategoryNotReleased: the first that is true, in this order.
    """
    if released.recipient_agency_id != recipient_agency_id:
        raise ReleaseNamesAnotherAgency(field="release_id")
    if released.status == "inactive":
        raise ReleaseWithdrawn(field="release_id")
    if released.status != "active":
        raise NoLiveRelease(field="release_id")
    if now < released.starts_at:
        raise ReleaseNotStarted(field="release_id")
    if now >= released.expires_at:
        raise ReleaseExpired(field="release_id")
    left_out = sorted(categories - set(released.categories))
    if left_out:
        raise CategoryNotReleased(field="categories", detail=f"Left out: {', '.join(left_out)}.")
