"""Which of the referrals that row security shows is which side's: the only place that compares agencies (A1)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_, select

from referralnet.referrals.tables import Referral

# Asked once in a statement, however often it stands there.
_ACTING = select(func.acting_agency().label("agency_id")).cte("acting")
_ACTING_AGENCY = select(_ACTING.c.agency_id).scalar_subquery()


def received() -> ColumnElement[bool]:
    """Referrals addressed to the acting agency."""
    return Referral.target_agency_id == _ACTING_AGENCY


def sent() -> ColumnElement[bool]:
    """Referrals the acting agency sent, drafts included."""
    return Referral.source_agency_id == _ACTING_AGENCY


def knows_the_source() -> ColumnElement[bool]:
    """Whether the acting agency may learn who sent it: it did so itself, or it has accepted (R4)."""
    return or_(sent(), and_(received(), Referral.accepted_at.is_not(None)))
