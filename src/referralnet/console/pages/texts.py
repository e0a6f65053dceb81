"""The wording of texts as a phone shows it, whether words could be a label, and one text with what became of it."""

from __future__ import annotations

from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.places import referral_address
from referralnet.console.serving import PageRequest
from referralnet.console.words import Words
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.messaging import wording
from referralnet.messaging.delivery import sentences
from referralnet.messaging.label_wording import LETTERS_MAX, Fault, LabelFault, faults_of_label
from referralnet.messaging.previewing import preview_label, preview_texts
from referralnet.messaging.segments import Encoding, cost
from referralnet.messaging.showing import show_text
from referralnet.referrals import reading

WORDS_MAX = 60
PHRASES = (*sentences(), *(LabelFault(fault).in_words for fault in Fault))
"""What areas say on these pages, for the catalogues of languages."""


async def show(request: PageRequest) -> Response:
    """Every text of a language, under one label."""
    return await _page(request)


async def check(request: PageRequest) -> Response:
    """Whether words could be a label: nothing is kept, and the words stand in no address."""
    form = await request.form()
    return await _page(request, form, words=form.get("words", "").strip()[:WORDS_MAX])


async def one(request: PageRequest) -> Response:
    """One text to her, and what to do about it."""
    actor, text_id = request.member, request.opened("text")
    require(actor, Permission.KEEP_SURVIVORS)
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        text = await show_text(session, text_id)
        try:
            about = (await reading.referral(session, actor, text.subject_id)).id
        except NotFound:
            about = None
    place = referral_address(request, about) if about else None
    return request.page("text.html", profile=profile, text=text, place=place)


async def _page(request: PageRequest, form: Form | None = None, *, words: str | None = None) -> Response:
    actor, asked = request.member, request.http.query_params if form is None else form
    require(actor, Permission.KEEP_SURVIVORS)
    language = asked.get("language", "") if asked.get("language") in wording.languages() else request.language
    label = asked.get("label", "") if asked.get("label") in wording.labels() else wording.labels()[0]
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        faults = await faults_of_label(session, words) if words else []
    tried = preview_label(words, language, profile.time_zone, now=request.now) if words and not faults else None
    shown = preview_texts(language, label=label, time_zone=profile.time_zone, now=request.now)
    return request.page(
        "texts.html",
        profile=profile,
        shown=list(shown),
        chosen=language,
        label=label,
        spoken=wording.languages(),
        labels={key: wording.label_words(key, language) for key in wording.labels()},
        is_draft=wording.is_draft(language),
        words=words,
        says=[_said(request, fault) for fault in faults],
        tried=tried,
        is_costly=bool(words) and cost(words or "").encoding is Encoding.UCS_2,
        letters_max=LETTERS_MAX,
    )


def _said(request: PageRequest, fault: LabelFault) -> str:
    """A fault in the language of the page, with the word at fault."""
    sentence = LabelFault(fault.fault).in_words
    return f"{Words(request.language).said(sentence)}{f': {fault.word}.' if fault.word else ''}"
