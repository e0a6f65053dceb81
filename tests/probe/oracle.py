"""The oracle: what docs/rules.md lets anybody learn of one referral of one survivor, in plain Python.

Nothing of the program is imported here, and nothing is copied from it: where the two differ, one of them is wrong.
`may_learn` is the whole of it. To extend it, add what can be learned to `Thing`, say under which rule somebody learns
it, and say in told.py which column or field tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

POLICE = {"law_enforcement", "prosecution"}


class Thing(StrEnum):
    """What can be learned. Each is of one referral (or of its survivor), but for the last two."""

    RECORD = "record"  # that she is in somebody's custody: her row, needs, numbers and names, sealed
    PARTICULARS = "particulars"  # her other names, numbers and notes, and who may sign for her, sealed
    IDENTITY = "identity"  # who she is, in plain words
    RELEASE = "release"
    BLOCK = "block"  # whom she has blocked
    REFERRAL = "referral"  # that a service was asked for: the need, the status, the history
    SOURCE = "source"  # which agency asked
    VISIT = "visit"  # that there is an appointment, and when
    VISIT_HELD = "how a visit is held"
    COPY = "copy"  # that something was disclosed, and the key that it is sealed with
    NOTE = "note"  # what the other party wrote to its agency, or it to the other
    FACTS = "facts"  # one category of the copy, sealed
    OPENED = "opened facts"  # the same in plain words
    TEXTS = "texts"  # that she was texted, when, and what became of it
    WORDS = "words"  # number and body of a text
    SOURCE_WORK = "task of the source"
    TARGET_WORK = "task of the target"
    SOURCE_TRAIL = "trail of the source"
    TARGET_TRAIL = "trail of the target"
    SOURCE_SYSTEMS = "that the source's own systems were told of something"
    TARGET_SYSTEMS = "that the target's own systems were told of something"
    STAFF = "staff"  # a person who works at an agency
    OWN = "own account"  # what a member's own requests made


@dataclass(frozen=True)
class Actor:
    """Somebody with an account, as far as the rules care."""

    name: str
    agency: str
    roles: frozenset[str]
    works: bool  # not disabled, and the agency is a member still
    trained: bool
    fresh: bool  # proved a second factor within five minutes


@dataclass(frozen=True)
class Case:
    """One referral of one survivor (or only a release for it), as far as the rules care."""

    number: int
    source: str  # the custodian of her record
    source_kind: str
    target: str
    referral: str  # none, draft, or where it stands
    accepted: bool  # the target has said yes at some time
    release: str  # none, live, or why it is not
    released: frozenset[str]  # categories
    blocked: frozenset[str]  # names of agencies and of members


OPEN_AFTER_ACCEPTANCE = {"accepted", "in_progress", "cancellation_requested"}

# Who does what, by product.md, "Who uses it". A question that is not here may be refused to anybody by their role.
DUTIES: dict[str, set[str]] = {
    "survivors": {"coordinator"},
    "survivorIdentity": {"coordinator"},
    "survivorHistory": {"coordinator"},
    "releases": {"coordinator"},
    "releaseSignature": {"coordinator"},
    "accounting": {"coordinator"},
    "texts": {"coordinator"},
    "textsToSurvivor": {"coordinator"},
    "routingPlan": {"coordinator"},
    "routingPlans": {"coordinator"},
    "disclosure": {"intake"},
    "referral": {"coordinator", "intake"},
    "inbox": {"coordinator", "intake"},
    "sentReferrals": {"coordinator", "intake"},
    "worklist": {"coordinator", "intake"},
}


def may_learn(actor: Actor, case: Case, thing: Thing, category: str = "") -> bool:  # noqa: PLR0911 (a rule each)
    """Whether the rules let `actor` learn `thing` of `case`; `category` for FACTS and OPENED alone."""
    if not actor.works:
        return False  # A3
    if blocks(case, actor):
        return False  # C12: before any role
    if thing in {Thing.SOURCE_TRAIL, Thing.TARGET_TRAIL}:
        agency = case.source if thing is Thing.SOURCE_TRAIL else case.target
        return actor.agency == agency and "auditor" in actor.roles  # U3: ids and codes, of the own agency
    if thing in {Thing.SOURCE_SYSTEMS, Thing.TARGET_SYSTEMS}:
        agency = case.source if thing is Thing.SOURCE_SYSTEMS else case.target
        return actor.agency == agency and "agency_admin" in actor.roles  # docs/webhooks.md: which case, is not told
    if not actor.trained or not actor.roles & {"coordinator", "intake"}:
        return False  # A8; A4
    if actor.agency == case.source:
        return source_learns(actor, case, thing)
    if actor.agency == case.target and case.referral not in {"none", "draft"}:
        return target_learns(actor, case, thing, category)
    return False  # C1, C5, C6: nobody else learns that there is anything to learn


def blocks(case: Case, actor: Actor) -> bool:
    """Whether her block list names the actor or the agency."""
    return bool(case.blocked & {actor.name, actor.agency})


def source_learns(actor: Actor, case: Case, thing: Thing) -> bool:
    """The custodian has the whole record; of what the other party does, what the two share."""
    match thing:
        case Thing.IDENTITY:
            return "coordinator" in actor.roles and actor.fresh  # A5
        case Thing.PARTICULARS:
            return "coordinator" in actor.roles  # product.md: intake workers answer referrals, and keep no survivors
        case Thing.VISIT_HELD:
            return case.source_kind not in POLICE  # R5
        case Thing.NOTE:
            return "coordinator" in actor.roles and case.release == "live" and case.source_kind not in POLICE  # C3, R5
        case Thing.WORDS | Thing.OPENED | Thing.TARGET_WORK:
            return False
        case _:
            return True


def target_learns(actor: Actor, case: Case, thing: Thing, category: str) -> bool:
    """R4: the need first; who asked after acceptance; what was released, while it is released, to the intake."""
    copied = (
        "intake" in actor.roles
        and case.referral in OPEN_AFTER_ACCEPTANCE  # R4
        and case.release == "live"  # C1, C3
    )
    match thing:
        case Thing.REFERRAL | Thing.VISIT | Thing.VISIT_HELD | Thing.TARGET_WORK:
            return True
        case Thing.SOURCE:
            return case.accepted  # R4
        case Thing.COPY | Thing.NOTE:
            return copied
        case Thing.FACTS:
            return False  # U1: in the transaction that noted the reading, and this one only looks
        case Thing.OPENED:
            return copied and category in case.released and actor.fresh  # A5
        case _:
            return False


def may_learn_of_staff(actor: Actor, agency: str) -> bool:
    """Who works at an agency is known there."""
    return actor.works and actor.agency == agency
