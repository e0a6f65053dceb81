"""Whether a survivor may be texted about something, judged when planning and again at the moment of sending (M1,
M9). Pure.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from referralnet.messaging.contacts import Contact
from referralnet.messaging.wording import Message

_OPEN_WITH_APPOINTMENT = frozenset({"accepted", "in_progress"})
_KEPT_OR_MISSED = frozenset({"fulfilled", "noshow"})


class Withheld(StrEnum):
    """Why a text is not sent; the code a person reads on the task."""

    NO_CONTACT_PLAN = "no_contact_plan"
    NO_OPT_IN = "no_opt_in"
    RECONFIRM_OVERDUE = "reconfirm_overdue"
    PAUSED = "paused"
    SUPPRESSED = "suppressed"
    RELEASE_ENDED = "release_ended"
    REFERRAL_CLOSED = "referral_closed"
    APPOINTMENT_CHANGED = "appointment_changed"
    WINDOW_GONE = "window_gone"
    NOT_CHOSEN = "not_chosen"
    PLAN_CHANGED = "plan_changed"


def why_not(contact: Contact | None, message: Message, starts_at: datetime, now: datetime) -> Withheld | None:
    """The first reason not to text about an appointment, or None where the text may go.

    Args:
        starts_at: the instant the text would tell.
    """
    if contact is None:
        return Withheld.NO_CONTACT_PLAN
    return why_not_at_all(contact, now) or _case_against(contact, message, starts_at)


def why_not_at_all(contact: Contact, now: datetime) -> Withheld | None:
    """The first reason not to text her, whatever it is about."""
    if contact.suppressed:
        return Withheld.SUPPRESSED
    if contact.texts_opted_in_at is None or contact.texts_opted_in_at > now:
        return Withheld.NO_OPT_IN
    if contact.paused_at is not None:
        return Withheld.PAUSED
    # The plan holds through the whole of its last day on the survivor's own calendar.
    if now.astimezone(ZoneInfo(contact.time_zone)).date() > contact.reconfirm_by:
        return Withheld.RECONFIRM_OVERDUE
    return None


def _case_against(contact: Contact, message: Message, starts_at: datetime) -> Withheld | None:
    if message is Message.APPOINTMENT_CANCELLED:
        # That an appointment is off is told after its referral has ended, too; a withdrawal has paused the plan.
        return None if contact.appointment_status == "cancelled" else Withheld.APPOINTMENT_CHANGED
    if contact.appointment_status in _KEPT_OR_MISSED:
        # She came earlier than was agreed, say: nothing is left to tell, however the referral has ended since.
        return Withheld.APPOINTMENT_CHANGED
    if not contact.release_live:
        return Withheld.RELEASE_ENDED
    if contact.referral_status not in _OPEN_WITH_APPOINTMENT:
        return Withheld.REFERRAL_CLOSED
    if contact.appointment_status != "booked" or contact.appointment_starts_at != starts_at:
        return Withheld.APPOINTMENT_CHANGED
    return None
