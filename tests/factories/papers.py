"""Papers to print and to read: a release and lines of an accounting, and what a PDF says."""

from __future__ import annotations

import io
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pypdf import PdfReader

from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.consent.form import published_form
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.printing import PrintedRelease
from referralnet.consent.releases import Method, ReleaseRow, ReleaseStatus
from referralnet.referrals.accounting import Line, Standing

NOW = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)
BOTH = (Category.IDENTITY, Category.NEEDS)


def printed_release(
    *, custodian: str = "Lakeside Center", recipient: str = "Lantern House", **changes: Any
) -> PrintedRelease:
    """A release in force, signed on paper, but for `changes` of its row; what is not said here is None."""
    values: dict[str, Any] = {field.name: None for field in fields(ReleaseRow)} | {
        "id": uuid4(),
        "survivor_id": uuid4(),
        "proposal_id": uuid4(),
        "recipient_agency_id": uuid4(),
        "purpose": Purpose.SHELTER,
        "categories": frozenset(BOTH),
        "status": ReleaseStatus.ACTIVE,
        "starts_at": NOW - timedelta(days=3),
        "expires_at": NOW + timedelta(days=87),
        "form_version": "2026-11",
        "form_language": "es",
        "form_hash": published_form("es").hash.hex(),
        "signer": Signer.SURVIVOR,
        "method": Method.WRITTEN,
        "signed_at": NOW - timedelta(days=3),
    }
    return PrintedRelease(ReleaseRow(**{**values, **changes}), custodian, recipient, "America/Chicago")


def line(number: int, act: Action = Action.DISCLOSURE_MADE, **changes: Any) -> Line:
    """A line of an accounting, an hour after the one before it."""
    values: dict[str, Any] = {
        "number": number,
        "at": NOW - timedelta(days=30) + timedelta(hours=number),
        "act": act,
        "by": "Lakeside Center",
        "to": "Lantern House",
        "categories": BOTH,
        "release_id": uuid4(),
        "signed_at": NOW - timedelta(days=31),
        "why": None,
        "standing": Standing.IN_BOTH,
    }
    return Line(**{**values, **changes})


def read_pdf(content: bytes) -> PdfReader:
    """A PDF, to look into."""
    return PdfReader(io.BytesIO(content))


def text_of(content: bytes) -> str:
    """What a PDF says, on all its pages, with plain spaces and without its line breaks."""
    return " ".join(" ".join(page.extract_text() for page in read_pdf(content).pages).split())
