"""What is kept of somebody: read after a code, corrected, added to, taken out of use; a form changes one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.handles import Kind
from referralnet.console.pages.people import NOBODY
from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen, day
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import NotFound, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.colleagues import names_of
from referralnet.identity.profiles import own_profile
from referralnet.referrals.marking import mark_signer_as_abuser
from referralnet.survivors import aliases, notes, phone_numbers, signers
from referralnet.survivors.abuser_marks import AbuserOf, lift_mark
from referralnet.survivors.aliases import AliasKind, NewAlias
from referralnet.survivors.correcting import Clearable, Correction, correct_survivor
from referralnet.survivors.notes import NoteCategory
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.revealing import SurvivorIdentity, read_history, reveal_survivor
from referralnet.survivors.signers import NewSigner, Relationship

_CORRECTED = ("given_name", "family_name", "pronouns", "case_label")

Act = Callable[[AsyncSession, Member], Awaitable[object]]


class Step(NamedTuple):
    """One change: how it is read off the form, what is said then, and what the areas' fields are called here."""

    reads: Callable[[PageRequest, Form, UUID], Act]
    told: Told
    section: str
    fields: Mapping[str, str] = {}


async def show(request: PageRequest) -> Response:
    """Her record. The reading wants a second factor, is capped, and stands in the trail."""
    return await _page(request, Form(), {})


async def show_before(request: PageRequest) -> Response:
    """What stood there before it was corrected, and every version of every note."""
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        history = await read_history(session, actor, survivor_id, keyring=request.keyring, now=request.now)
        people = {one.corrected_by for one in history.corrections} | {note.written_by for note in history.notes}
        names = await names_of(session, [one for one in people if one is not None])
    return request.page(
        "people/before.html",
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        history=history,
        names=names,
        categories=tuple(NoteCategory),
    )


async def change(request: PageRequest) -> Response:
    """Change what the last part of the address says, and come back to the record."""
    step = STEPS.get(request.http.path_params["what"])
    if step is None:
        raise NotFound
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await step.reads(request, form, survivor_id)(session, actor)
        return survivor_id

    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except Refusal as refusal:
        return await _page(request, form, _beside(step, form, request.errors(refusal)))
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}/record#{step.section}", step.told)


def _beside(step: Step, form: Form, errors: Mapping[str, str]) -> dict[str, str]:
    """Errors by what their fields are called on this page."""
    places = {name: place.replace("{category}", form.get("category", "")) for name, place in step.fields.items()}
    return {places.get(name, name): said for name, said in errors.items()}


def _correct(request: PageRequest, form: Form, survivor_id: UUID) -> Act:
    changed = {name for name in (*_CORRECTED, "date_of_birth") if form.get(name, "") != form.get(f"{name}_was", "")}
    words = {name: form.get(name, "").strip() for name in _CORRECTED if name in changed}
    if "family_name" in words:
        words["family_name"] = words["family_name"] or NOBODY
    cleared = {Clearable.PRONOUNS} if words.get("pronouns") == "" else set()
    born = day(form, "date_of_birth") if "date_of_birth" in changed else None
    if "date_of_birth" in changed and born is None:
        cleared.add(Clearable.DATE_OF_BIRTH)
    correction = Correction(
        given_name=words.get("given_name"),
        family_name=words.get("family_name"),
        date_of_birth=born,
        pronouns=words.get("pronouns") or None,
        case_label=words.get("case_label"),
        cleared=frozenset(cleared),
        keep_former_name="keep_former_name" in form,
    )
    return partial(_keyed(correct_survivor, request), survivor_id=survivor_id, correction=correction)


def _keyed(act: Callable[..., Awaitable[object]], request: PageRequest) -> Callable[..., Awaitable[object]]:
    return partial(act, keyring=request.keyring, now=request.now)


def _add_alias(request: PageRequest, form: Form, survivor_id: UUID) -> Act:
    new = NewAlias(form.get("alias_name", ""), chosen(form, "alias_kind", AliasKind))
    return partial(_keyed(aliases.add_alias, request), survivor_id=survivor_id, new=new)


def _remove_alias(request: PageRequest, form: Form, _survivor_id: UUID) -> Act:
    return partial(_keyed(aliases.remove_alias, request), alias_id=_of(request, form, "alias"))


def _add_number(request: PageRequest, form: Form, survivor_id: UUID) -> Act:
    kind = chosen(form, "number_kind", PhoneKind)
    new = NewPhone(form.get("number", ""), kind, "number_safe" in form)
    return partial(_keyed(phone_numbers.add_phone, request), survivor_id=survivor_id, new=new)


def _mark_number(request: PageRequest, form: Form, _survivor_id: UUID, *, safe: bool) -> Act:
    phone_id = _of(request, form, "number")
    return partial(_keyed(phone_numbers.mark_phone, request), phone_id=phone_id, safe=safe)


def _remove_number(request: PageRequest, form: Form, _survivor_id: UUID) -> Act:
    return partial(_keyed(phone_numbers.remove_phone, request), phone_id=_of(request, form, "number"))


def _write_note(request: PageRequest, form: Form, survivor_id: UUID) -> Act:
    category = chosen(form, "category", NoteCategory)
    return partial(
        _keyed(notes.write_note, request),
        survivor_id=survivor_id,
        category=category,
        text=form.words(f"text_{category}"),
        after_version=_version(form),
    )


def _add_signer(request: PageRequest, form: Form, survivor_id: UUID) -> Act:
    new = NewSigner(form.get("signer_name", ""), chosen(form, "relationship", Relationship))
    return partial(_keyed(signers.add_signer, request), survivor_id=survivor_id, new=new)


def _remove_signer(request: PageRequest, form: Form, _survivor_id: UUID) -> Act:
    return partial(signers.remove_signer, signer_id=_of(request, form, "signer"), now=request.now)


def _mark_signer(request: PageRequest, form: Form, _survivor_id: UUID) -> Act:
    abuser_of = chosen(form, "abuser_of", AbuserOf)
    return partial(mark_signer_as_abuser, signer_id=_of(request, form, "signer"), abuser_of=abuser_of, now=request.now)


def _lift_mark(request: PageRequest, form: Form, _survivor_id: UUID) -> Act:
    return partial(lift_mark, mark_id=_of(request, form, "mark"), now=request.now)


def _of(request: PageRequest, form: Form, kind: Kind) -> UUID:
    return request.open_handle(kind, form.get("of", ""))


def _version(form: Form) -> int:
    typed = form.get("after_version", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 8 else 0


STEPS: Mapping[str, Step] = {
    "correct": Step(_correct, Told.RECORD_KEPT, "correction"),
    "name": Step(_add_alias, Told.RECORD_KEPT, "names", {"name": "alias_name", "kind": "alias_kind"}),
    "name-out": Step(_remove_alias, Told.OUT_OF_USE, "names"),
    "number": Step(_add_number, Told.RECORD_KEPT, "numbers", {"kind": "number_kind"}),
    "number-safe": Step(partial(_mark_number, safe=True), Told.RECORD_KEPT, "numbers"),
    "number-unsafe": Step(partial(_mark_number, safe=False), Told.NUMBER_UNSAFE, "numbers"),
    "number-out": Step(_remove_number, Told.OUT_OF_USE, "numbers"),
    "note": Step(
        _write_note, Told.RECORD_KEPT, "notes", {"text": "text_{category}", "after_version": "text_{category}"}
    ),
    "signer": Step(_add_signer, Told.RECORD_KEPT, "signers", {"name": "signer_name"}),
    "signer-out": Step(_remove_signer, Told.OUT_OF_USE, "signers"),
    "signer-marked": Step(_mark_signer, Told.SIGNER_MARKED, "signers"),
    "mark-lifted": Step(_lift_mark, Told.MARK_LIFTED, "signers"),
}
"""By the last part of the address that a form is sent to."""


async def _page(request: PageRequest, typed: Form, wrong: Mapping[str, str]) -> Response:
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        identity = await reveal_survivor(session, actor, survivor_id, keyring=request.keyring, now=request.now)
    return request.page(
        "people/record.html",
        422 if wrong else 200,
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        identity=identity,
        kept_notes={note.category: note for note in identity.notes},
        was=_as_typed(identity),
        typed=Form([*_as_typed(identity).items(), *typed.pairs]),
        sent=typed,
        wrong=wrong,
        alias_kinds=tuple(AliasKind),
        number_kinds=tuple(PhoneKind),
        categories=tuple(NoteCategory),
        relationships=tuple(Relationship),
        abusers_of=tuple(AbuserOf),
    )


def _as_typed(identity: SurvivorIdentity) -> dict[str, str]:
    """What is kept, as the fields show it."""
    kept = {f"text_{note.category}": note.text or "" for note in identity.notes}
    return kept | {
        "given_name": identity.given_name,
        "family_name": "" if identity.family_name == NOBODY else identity.family_name,
        "pronouns": identity.pronouns or "",
        "case_label": identity.case_label or "",
        "date_of_birth": "" if identity.date_of_birth is None else identity.date_of_birth.isoformat(),
    }
