"""Every kind of task as data on one screen: whose it is, how soon, and whether anything goes on without a person.

docs/worklists.md says how the lists are made of it. The database has its own copy of `may` and `within`
(`task_kinds()`); a test compares. A kind that is not here is anybody's who works on cases, within a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from referralnet.database.acting import Role

_COORDINATOR = frozenset({Role.COORDINATOR})
_INTAKE = frozenset({Role.INTAKE})
_ADMIN = frozenset({Role.AGENCY_ADMIN})
_NETWORK = _ADMIN | {Role.NETWORK_ADMIN}


@dataclass(frozen=True, slots=True)
class TaskKind:
    """One kind. `may`: roles of which one is enough to do it; `within`: of opening, for what is routine.

    `needs_person`: the program has come to its end with it, and neither a clock nor the other party goes on.
    """

    may: frozenset[Role]
    within: timedelta
    needs_person: bool
    words: str


UNKNOWN = TaskKind(_COORDINATOR | _INTAKE, timedelta(hours=24), False, "")


def _told(may: frozenset[Role], hours: int, words: str) -> TaskKind:
    """The other party or a clock goes on, or there is only something to take note of."""
    return TaskKind(may, timedelta(hours=hours), False, words)


def _waits(may: frozenset[Role], hours: int, words: str) -> TaskKind:
    """It stands still until a person acts."""
    return TaskKind(may, timedelta(hours=hours), True, words)


TASK_KINDS: Mapping[str, TaskKind] = {
    # About her, or of her own word.
    "survivor_unsafe": _waits(_COORDINATOR, 1, "act now: she answered that she is not safe"),
    "survivor_may_end_consent": _waits(
        _COORDINATOR, 1, "ask her: a text wants to end everything, and it may not be hers"
    ),
    "survivor_asks_for_call": _waits(_COORDINATOR, 4, "call her: she asked for it by text"),
    "survivor_wrote": _waits(_COORDINATOR, 4, "read what she wrote in words, and call her"),
    "survivor_stopped_texts": _waits(_COORDINATOR, 24, "agree on another way: she has ended texts"),
    "survivor_asks_for_texts": _waits(_COORDINATOR, 24, "keep her contact plan anew: she wants texts again"),
    "survivor_not_texted": _waits(_COORDINATOR, 4, "tell her yourself: no text could be sent"),
    "left_undone": _waits(_COORDINATOR, 4, "see to it yourself: the program fails at something again and again"),
    "confirmation_too_late": _waits(_COORDINATOR, 4, "tell her: her confirmation came too late"),
    "text_unsettled": _waits(_COORDINATOR, 4, "ask her: nobody knows whether a text arrived"),
    "reconfirm_contact": _waits(_COORDINATOR, 72, "ask her: her number has to be confirmed before she is texted again"),
    "survivor_confirms_number": _waits(
        _COORDINATOR, 24, "keep her contact plan anew: a text says that the number still is hers"
    ),
    "signer_marked_as_abuser": _waits(
        _COORDINATOR, 8, "ask her who else may sign: what an abuser had signed for her has ended"
    ),
    "consent_ended_by_text": _told(_COORDINATOR, 24, "take note: she has ended everything by text"),
    "release_ran_out": _waits(_COORDINATOR, 24, "ask her for a new release: one with an open referral has run out"),
    "notify_of_compelled_disclosure": _waits(
        _COORDINATOR, 24, "tell her what a court has compelled, or that she could not be told"
    ),
    # What the sender of a referral goes on with.
    "send_referral": _told(_COORDINATOR, 24, "send a referral that is a draft"),
    "choose_next_service": _waits(_COORDINATOR, 8, "choose another service: this one will not be it"),
    "share_with_accepted": _waits(
        _COORDINATOR, 4, "share what she has released: a service has accepted and was told nothing yet"
    ),
    "answer_nearly_due": _told(
        _COORDINATOR, 4, "think of another service: this one has hardly any time left to answer"
    ),
    "follow_up_missed_visit": _waits(_COORDINATOR, 8, "ask how she is: a visit was missed"),
    "arrange_travel": _waits(_COORDINATOR, 24, "arrange how she gets there"),
    "call_service_again": _waits(_COORDINATOR, 8, "call the service again: nobody could say yet"),
    # What the service that was asked has to do.
    "answer_referral": _told(_INTAKE, 24, "answer a referral"),
    "answer_reminder": _told(_INTAKE, 24, "answer soon: a quarter of the time for a referral is over"),
    "decide_waitlisted_referral": _told(_INTAKE, 72, "decide on a referral on the waiting list"),
    "offer_free_unit": _waits(_INTAKE, 4, "offer a place that is free again to whoever has waited longest"),
    "arrange_service": _told(_INTAKE, 48, "arrange what was accepted"),
    "complete_referral": _told(_INTAKE, 336, "complete a referral when it is done"),
    "confirm_cancellation": _told(_INTAKE, 24, "confirm a cancellation"),
    "read_updated_disclosure": _told(_INTAKE, 24, "read anew what was released: it has been updated"),
    "referral_is_over": _told(_INTAKE, 24, "take note: a referral is over"),
    # For whoever looks after the agency or the program.
    "answer_late_for_admin": _told(_ADMIN, 4, "see that a referral is answered: half of its time is over"),
    "reveals_capped": _waits(_ADMIN, 4, "look into it: somebody had identity opened very often"),
    "referral_without_owner": _waits(
        _ADMIN | _COORDINATOR | _INTAKE, 4, "tell the operator: a referral is on nobody's list, or on the wrong one"
    ),
    "accounting_disagrees": _waits(
        _ADMIN | _COORDINATOR, 24, "look into it: her accounting and what stands in the tables do not agree"
    ),
    "webhook_failing": _waits(_ADMIN, 24, "look into it: a partner's program does not answer"),
    "carrier_refuses_account": _waits(
        _NETWORK, 1, "put the account right, or tell the operator: the carrier refuses it, and all texts wait"
    ),
    "carrier_silent": _waits(_NETWORK, 1, "look into it: the carrier gives no clear answer, and all texts wait"),
    "texts_held": _waits(
        _NETWORK, 1, "find out which copy of the database is to send texts: all of this one's are held"
    ),
    "row_failing": _waits(_NETWORK, 4, "mend it: a job fails on the same row again and again"),
    "carrier_answers": _told(_NETWORK, 24, "take note: the carrier answers again, and texts go out"),
    "text_not_erased": _waits(_COORDINATOR, 24, "tell the operator: the carrier would not erase a text"),
    "key_outlived_release": _waits(
        _COORDINATOR, 4, "tell the operator: a key was still there after its release had ended"
    ),
}


def kind_of(code: str) -> TaskKind:
    """What is known of a kind; of one that nobody has written here, that it is anybody's within a day."""
    return TASK_KINDS.get(code, UNKNOWN)


def in_words(code: str) -> str:
    """What a task asks for, as a person reads it."""
    return kind_of(code).words or code.replace("_", " ")


NEED_PERSON = frozenset(code for code, kind in TASK_KINDS.items() if kind.needs_person)
