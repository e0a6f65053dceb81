"""What administrators have pages for, by what each may do: what she may not is not offered."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from referralnet.console.navigation import PageLink, is_at
from referralnet.console.serving import PageRequest
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, is_permitted

ADMINISTER = "/administer"
SECTIONS = (
    ("members", "Members", (Permission.KEEP_MEMBERS,)),
    ("listings", "Listings", (Permission.KEEP_LISTING,)),
    ("programs", "Other programs", (Permission.KEEP_WEBHOOKS,)),
    ("reminders", "Reminders", (Permission.KEEP_TEXT_POLICY,)),
    ("files", "Files", (Permission.KEEP_SURVIVORS,)),
    ("network", "Network", (Permission.KEEP_AGENCIES,)),
    ("imports", "Imports", (Permission.IMPORT_DIRECTORY,)),
    ("duplicates", "Found twice", (Permission.DECIDE_DUPLICATES,)),
    ("kinds", "Kinds of service", (Permission.KEEP_MEMBERS, Permission.KEEP_AGENCIES)),
    ("deadlines", "Deadlines", (Permission.KEEP_MEMBERS, Permission.KEEP_AGENCIES)),
)
"""Address below /administer, name, and the permissions of which one is enough."""
DETAILS = (
    "Choose at least one.", "At least one.", "Write an e-mail address.", "Write the name that colleagues use.",
    "Write the name that everybody in the network will read.", "Use an IANA name such as America/Chicago.",
    "Choose a file that ends in .zip, .json or .csv.", "Choose a file; this one is empty.",
    "At most 64 MB; a larger one comes in on the host.", "Choose a file.", "Choose a day.", "At most 2 MB.",
    "Who administers the network is said on its host alone.",
)  # fmt: skip
"""What refusals of these pages say more."""
PHRASES = (*DETAILS, *(name for _, name, _ in SECTIONS))


def sections_for(actor: Member, here: str) -> list[PageLink]:
    """The sections a member has."""
    return [
        PageLink(path, name, is_at(path, here))
        for path, name, wants in ((f"{ADMINISTER}/{word}", name, wants) for word, name, wants in SECTIONS)
        if any(is_permitted(actor, want) for want in wants)
    ]


def section_page(request: PageRequest, template: str, status: int = 200, **values: Any) -> Response:
    """A page of a section, with the others beside it."""
    sections = sections_for(request.member, request.http.url.path)
    return request.page(f"administer/{template}", status, sections=sections, **values)


async def first_section(request: PageRequest) -> Response:
    """Where `Administer` leads: the first section she has."""
    sections = sections_for(request.member, request.http.url.path)
    return request.go_to(sections[0].path if sections else "/")
