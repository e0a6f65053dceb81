"""Codes, instants and numbers as a person reads them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale
from babel.dates import format_datetime

_ENGLISH = Locale("en", "US")
# Where the code with spaces would be unclear, or say more than it should.
_PLAIN = {
    "requested": "waiting for an answer",
    "on_hold": "on the waiting list",
    "in_progress": "under way",
    "cancellation_requested": "cancellation asked for",
    "entered_in_error": "entered in error",
    "coordinator": "coordinator",
    "agency_admin": "agency administrator",
    "network_admin": "network administrator",
    "13_17": "13 to 17",
    "18_24": "18 to 24",
    "25_59": "25 to 59",
    "60_over": "60 or over",
    "no_show": "missed",
    "answer_referral": "answer a referral",
    "answer_reminder": "answer soon: a quarter of the time for a referral is over",
    "answer_late_for_admin": "see that a referral is answered: half of its time is over",
    "answer_nearly_due": "think of another service: this one has hardly any time left to answer",
    "send_referral": "send a referral that is a draft",
    "decide_waitlisted_referral": "decide on a referral on the waiting list",
    "arrange_service": "arrange what was accepted",
    "complete_referral": "complete a referral when it is done",
    "confirm_cancellation": "confirm a cancellation",
    "choose_next_service": "choose another service: this one will not be it",
    "follow_up_missed_visit": "ask how she is: a visit was missed",
    "referral_is_over": "take note: a referral is over",
    "survivor_not_texted": "tell her yourself: no text could be sent",
    "confirmation_too_late": "tell her: her confirmation came too late",
    "text_not_erased": "tell the operator: the carrier would not erase a text",
    "text_unsettled": "ask her: nobody knows whether a text arrived",
    "referral_without_owner": "tell the operator: a referral is on nobody's list, or on the wrong one",
    "reveals_capped": "look into it: somebody had identity opened very often",
    "survivor_unsafe": "act now: she answered that she is not safe",
    "survivor_asks_for_call": "call her: she asked for it by text",
    "survivor_stopped_texts": "agree on another way: she has ended texts",
    "survivor_asks_for_texts": "keep her contact plan anew: she wants texts again",
    "release_ran_out": "ask her for a new release: one with an open referral has run out",
    "key_outlived_release": "tell the operator: a key was still there after its release had ended",
    "read_updated_disclosure": "read anew what was released: it has been updated",
    "signer_marked_as_abuser": "ask her who else may sign: what an abuser had signed for her has ended",
    "consent_ended_by_text": "take note: she has ended everything by text",
    "survivor_may_end_consent": "ask her: a text wants to end everything, and it may not be hers",
    "reconfirm_contact": "ask her: her number has to be confirmed before she is texted again",
    "survivor_confirms_number": "keep her contact plan anew: a text says that the number still is hers",
    "survivor_wrote": "call her: she wrote something that was not understood",
}
_HAPPENED = {
    "send": "sent",
    "accept": "accepted",
    "waitlist": "put on the waiting list",
    "reject": "declined",
    "schedule": "visit booked",
    "reschedule": "visit moved",
    "attended": "she came",
    "no_show": "visit missed",
    "appointment_cancelled": "visit cancelled",
    "complete": "completed",
    "withdraw": "taken back",
    "request_cancellation": "cancellation asked for",
    "confirm_cancellation": "cancellation agreed to",
    "expire": "expired without an answer",
    "filled": "filled elsewhere",
    "consent_withdrawn": "consent withdrawn",
    "mark_entered_in_error": "entered in error",
}


def plain(code: str) -> str:
    """A code in words, e.g. ``emergency_shelter`` -> ``emergency shelter``."""
    return _PLAIN.get(code, code.replace("_", " "))


def happened(event: str) -> str:
    """What an event of a referral's history was, e.g. ``accept`` -> ``accepted``."""
    return _HAPPENED.get(event, plain(event))


def language_name(code: str) -> str:
    """The English name of an ISO 639 language, or the code where it has none."""
    return str(_ENGLISH.languages.get(code, code))


def local(instant: datetime, time_zone: str) -> str:
    """An instant as the clocks of a zone show it, e.g. ``Mon, Mar 2, 9:00 AM``."""
    return format_datetime(instant, "EEE, MMM d, h:mm a", tzinfo=ZoneInfo(time_zone), locale=_ENGLISH)


def within(instant: datetime, now: datetime) -> str:
    """How far ahead an instant lies, roughly: ``in 3 h``, ``in 25 min``, ``2 h ago``."""
    minutes = round((instant - now).total_seconds() / 60)
    amount = abs(minutes)
    if amount < 1:
        return "now"
    span = f"{amount} min" if amount < 90 else f"{round(amount / 60)} h" if amount < 2880 else f"{amount // 1440} days"
    return f"in {span}" if minutes > 0 else f"{span} ago"


def phone_number(number: str) -> str:
    """An E.164 number as people write it in its country; anything else as it is."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))
