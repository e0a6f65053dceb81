"""The pages of the head, by what a member may do: what she may not is not offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from referralnet.database.acting import Member
from referralnet.identity.access import Permission, is_permitted

if TYPE_CHECKING:
    from referralnet.console.serving import Desk


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page of the head; `is_here` also on the pages below it."""

    path: str
    name: str
    is_here: bool


MEMBERS = (
    ("/", "Home", None),
    ("/calendar", "Visits", Permission.READ_REFERRALS),
    ("/people", "People", Permission.KEEP_SURVIVORS),
    ("/directory", "Directory", Permission.SEARCH_DIRECTORY),
    ("/capacity", "Capacity", Permission.KEEP_CAPACITY),
    ("/texts", "Texts", Permission.KEEP_SURVIVORS),
)
"""Address, name, and the permission without which it is not offered."""
_BESIDE = {"/people": ("/needs/", "/releases/")}
"""Addresses that belong to a page of the head and do not stand below its own."""
ADMINISTERING = frozenset(
    {
        Permission.KEEP_MEMBERS, Permission.KEEP_WEBHOOKS, Permission.KEEP_AGENCIES, Permission.IMPORT_DIRECTORY,
    }
)  # fmt: skip
"""One of them is enough for the pages below /administer; so is the right to take own cases out."""
LOOKING_BACK = (
    ("/measures", "Measures", Permission.READ_MEASURES),
    ("/trail", "Trail", Permission.READ_TRAIL),
)
PHRASES = ("Administer", *(name for _, name, _ in LOOKING_BACK))
TRYING = (("/explorer", "Explorer"), ("/graphiql", "GraphiQL"))
PHONE = ("/phone", "Phone")
STRANGERS = (("/sign-in", "Sign in"),)


def pages_for(actor: Member | None, desk: Desk, here: str) -> list[PageLink]:
    """What the head leads to, for whoever looks."""
    found = list(STRANGERS)
    if actor is not None:
        found = [(path, name) for path, name, wants in MEMBERS if wants is None or is_permitted(actor, wants)]
        found += [("/administer", "Administer")] if _administers(actor) else []
        found += [(path, name) for path, name, wants in LOOKING_BACK if is_permitted(actor, wants)]
        found += TRYING if desk.for_trying else ()
    found += [PHONE] if desk.phone is not None else []
    return [PageLink(path, name, is_at(path, here)) for path, name in found]


def _administers(actor: Member) -> bool:
    exports = is_permitted(actor, Permission.EXPORT_REFERRALS) and is_permitted(actor, Permission.KEEP_SURVIVORS)
    return exports or any(is_permitted(actor, one) for one in ADMINISTERING)


def is_at(path: str, here: str) -> bool:
    """Whether an address is that of a page or below it."""
    return here == path or (path != "/" and here.startswith((f"{path}/", *_BESIDE.get(path, ()))))
