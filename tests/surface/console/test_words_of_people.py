"""Every code on the pages of people has words, and her page says all of the published form."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from referralnet.consent.categories import Category
from referralnet.consent.compelled import Mandate
from referralnet.consent.ending import Via
from referralnet.consent.form import form_languages, published_form
from referralnet.consent.minors import Purpose
from referralnet.consent.releases import Ended, Method
from referralnet.console.contact_form import NEVER, OUTSIDE, OVER_NIGHT, warnings
from referralnet.console.her_form import parts_of
from referralnet.console.phrases import REASONS as SEARCH_REASONS
from referralnet.console.phrases_of_people import TABLES
from referralnet.directory.matching_policy import REASONS
from referralnet.messaging.tables import TextState
from referralnet.survivors.abuser_marks import AbuserOf
from referralnet.survivors.aliases import AliasKind
from referralnet.survivors.contact_plans import OptInMethod
from referralnet.survivors.needs import NeedEnd
from referralnet.survivors.notes import NoteCategory
from referralnet.survivors.phone_numbers import PhoneKind
from referralnet.survivors.resembling import Reason
from referralnet.survivors.safe_windows import SafeWindow
from referralnet.survivors.signers import Relationship
from referralnet.survivors.two_people import ActKind, Decision

CODES: dict[str, Iterable[str]] = {
    "category": Category, "told": Category, "purpose": Purpose, "method": Method, "via": Via, "ended": Ended,
    "need_end": NeedEnd, "resemblance": Reason, "relationship": Relationship, "opt_in": OptInMethod,
    "phone_kind": PhoneKind, "alias": AliasKind, "note": NoteCategory, "abuser_of": AbuserOf,
    "act": ActKind, "act_decision": Decision, "mandate": Mandate, "text_state": TextState,
}  # fmt: skip


@pytest.mark.parametrize("table", sorted(CODES))
def test_every_code_has_words_and_no_word_is_without_its_code(table: str) -> None:
    assert set(TABLES[table]) == {str(code) for code in CODES[table]}


def test_every_reason_of_a_match_has_words() -> None:
    assert {reason.code for reason in REASONS} <= {*TABLES["match"], *SEARCH_REASONS}


@pytest.mark.rule("C9")
@pytest.mark.parametrize("language", form_languages())
def test_her_page_says_every_word_of_the_form_in_its_order(language: str) -> None:
    text = published_form(language).text
    parts = parts_of(text)
    assert " ".join(" ".join(part.lines) for part in parts).split() == text.replace("\n- ", "\n").split()
    assert [part.kind for part in parts][:2] == ["title", "paragraph"]
    assert {part.kind for part in parts} == {"title", "heading", "paragraph", "list"}


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("09:00", "20:00", []),
        ("08:00", "21:00", []),
        ("07:00", "20:00", [OUTSIDE]),
        ("20:00", "22:00", [OUTSIDE]),
        ("21:00", "23:00", [NEVER]),
        ("05:00", "08:00", [NEVER]),
        ("20:00", "09:00", [OUTSIDE, OVER_NIGHT]),
    ],
)
def test_hours_in_which_nothing_is_texted_are_warned_about(start: str, end: str, told: list[str]) -> None:
    assert warnings([SafeWindow((0,), start, end)]) == told
