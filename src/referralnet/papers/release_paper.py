"""Her copy of a release: what she agreed to, how it was signed, and what stays hers.

It names no person, not even her: whoever finds it learns of two agencies, and not whose paper it is.
"""

from __future__ import annotations

from datetime import datetime

from referralnet.consent.printing import PrintedRelease
from referralnet.consent.releases import Ended, ReleaseStatus
from referralnet.consent.signatures import SignatureKind
from referralnet.papers.sheet import Sheet
from referralnet.papers.wording import Words

# What is said of each end; where a block or a mistake ended it, that it was ended.
_ENDED = {
    Ended.ORAL: "withdrawn",
    Ended.WRITTEN: "withdrawn",
    Ended.TEXT: "withdrawn",
    Ended.EXPIRY: "expired",
    Ended.RENEWAL: "replaced",
    Ended.NARROWING: "replaced",
    Ended.DECLINED: "declined",
}
_DRAWN = frozenset({SignatureKind.PATH, SignatureKind.IMAGE})


def print_release(release: PrintedRelease, words: Words, now: datetime) -> bytes:
    """The paper as PDF, in the language of the words."""
    row, zone = release.row, release.time_zone
    sheet = Sheet(words, now, words.say("sheet", "printed", date=words.day(now, zone)))
    sheet.heading(words.say("release", "title"))
    sheet.paragraph(words.say("release", "keep"), quiet=True)
    sheet.section(words.say("release", "agreed"))
    term = {"start": words.day(row.starts_at, zone), "end": words.day(row.expires_at, zone)}
    language = words.say("language", row.form_language) if words.knows("language", row.form_language) else ""
    form = words.say("release", "form_kept", version=row.form_version, language=language or row.form_language)
    for label, lines in (
        ("asks", [release.custodian]),
        ("told", [release.recipient]),
        ("purpose", [words.say("purpose", row.purpose)]),
        (
            "what",
            [
                words.say("categories", category)
                for category in words.content["categories"]
                if category in row.categories
            ],
        ),
        ("term", [words.say("release", "from_until", **term)]),
        ("stands", [_standing(release, words, now)]),
        ("signed", [_signed(release, words)]),
        ("form", [form, _grouped(row.form_hash)]),
    ):
        sheet.fact(words.say("release", label), lines)
    sheet.section(words.say("release", "rights"))
    sheet.bullets(words.lines("release", "rights_said"))
    return sheet.finished()


def _standing(release: PrintedRelease, words: Words, now: datetime) -> str:
    row = release.row
    if row.ended_at is not None:
        how = _ENDED.get(row.ended_via, "ended") if row.ended_via else "ended"
        return words.say("standing", how, date=words.day(row.ended_at, release.time_zone))
    if row.status is ReleaseStatus.PROPOSED:
        return words.say("standing", "proposed")
    if now >= row.expires_at:
        return words.say("standing", "expired")
    return words.say("standing", "live" if now >= row.starts_at else "early")


def _signed(release: PrintedRelease, words: Words) -> str:
    row = release.row
    if row.signed_at is None or row.method is None or row.signer is None:
        return words.say("signer", "nobody")
    if row.signature_kind in _DRAWN:
        how = "drawn"
    else:
        how = "typed" if row.signature_kind == SignatureKind.TYPED else str(row.method)
    date = words.day(row.signed_at, release.time_zone)
    return words.say("signer", row.signer, how=words.say("how", how), date=date)


def _grouped(number: str) -> str:
    """A check number in groups of four, as a person reads it out."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))
