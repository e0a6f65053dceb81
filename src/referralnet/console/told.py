"""What a page says once about the step before: a code in a cookie, and sealed beside it what would take it back."""

from __future__ import annotations

from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from referralnet.console.cookies import Cookie, clear_cookie, read_cookie, set_cookie

_BESIDE = "."


class Told(StrEnum):
    """Something that was done."""

    SIGNED_OUT = "signed_out"
    COUNT_KEPT = "count_kept"
    IDENTITY_OPEN = "identity_open"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    DECLINED = "declined"
    VISIT_BOOKED = "visit_booked"
    VISIT_CHANGED = "visit_changed"
    VISIT_CANCELLED = "visit_cancelled"
    CAME = "came"
    MISSED = "missed"
    COMPLETED = "completed"
    CANCELLATION_AGREED = "cancellation_agreed"
    WAY_ARRANGED = "way_arranged"
    TAKEN_BACK = "taken_back"
    IN_ERROR = "in_error"
    GIVEN = "given"
    SPOKEN = "spoken"
    NOTE_SENT = "note_sent"
    TASK_DONE = "task_done"
    TASK_TAKEN = "task_taken"
    TASK_GIVEN_BACK = "task_given_back"
    NEXT_ASKED = "next_asked"
    PLAN_CLOSED = "plan_closed"
    CHOICE_REMOVED = "choice_removed"
    CHOICE_FIRST = "choice_first"
    CHOICE_ADDED = "choice_added"
    CALL_KEPT = "call_kept"
    PERSON_KEPT = "person_kept"
    WAY_SHOWN = "way_shown"
    PLAN_KEPT = "plan_kept"
    NEED_CLOSED = "need_closed"
    KEPT_AWAY = "kept_away"
    SIGNED = "signed"
    NOT_SIGNED = "not_signed"
    RELEASE_ENDED = "release_ended"
    RELEASE_SMALLER = "release_smaller"
    EVERYTHING_ENDED = "everything_ended"
    ERASED = "erased"
    ONE_PERSON = "one_person"
    TWO_PEOPLE = "two_people"
    UNDONE = "undone"
    GONE_ON = "gone_on"
    SENT = "sent"
    ALL_ASKED = "all_asked"
    DEADLINES_KEPT = "deadlines_kept"
    REMINDERS_KEPT = "reminders_kept"
    MEMBER_KEPT = "member_kept"
    MEMBER_SIGNED_OUT = "member_signed_out"
    MEMBER_OFF = "member_off"
    MEMBER_ON = "member_on"
    JOINED = "joined"
    PROGRAM_KEPT = "program_kept"
    PROGRAM_OFF = "program_off"
    TOLD_AGAIN = "told_again"
    AGENCY_ADDED = "agency_added"
    AGENCY_ON = "agency_on"
    AGENCY_OFF = "agency_off"
    CHECK_ASKED = "check_asked"
    RECORD_KEPT = "record_kept"
    NUMBER_UNSAFE = "number_unsafe"
    OUT_OF_USE = "out_of_use"
    SIGNER_MARKED = "signer_marked"
    MARK_LIFTED = "mark_lifted"
    PROPOSED = "proposed"
    ACT_CONFIRMED = "act_confirmed"
    ACT_TAKEN_BACK = "act_taken_back"
    RELEASE_IN_ERROR = "release_in_error"
    SHARED = "shared"
    LISTING_KEPT = "listing_kept"
    LISTING_SAME = "listing_same"
    LISTING_TRUE = "listing_true"
    LISTING_FOLLOWS = "listing_follows"
    UNIT_COUNTED = "unit_counted"
    UNIT_NOT_COUNTED = "unit_not_counted"
    ARE_ONE = "are_one"
    ARE_TWO = "are_two"


SENTENCES = {
    Told.SIGNED_OUT: "You are signed out. Nothing of what you saw is kept in this browser.",
    Told.COUNT_KEPT: "Thank you. Everybody who looks for a place sees this count now.",
    Told.IDENTITY_OPEN: "Your code is right. Names may be shown for five minutes.",
    Told.ACCEPTED: "You have accepted. What she released to you can be read below.",
    Told.WAITLISTED: "It is on your waiting list. The sender is told that she waits.",
    Told.DECLINED: "You have said no. The sender is told why, and goes on.",
    Told.VISIT_BOOKED: "The visit is booked.",
    Told.VISIT_CHANGED: "The change of the visit is kept.",
    Told.VISIT_CANCELLED: "The visit is cancelled. The request goes on.",
    Told.CAME: "Noted: she came.",
    Told.MISSED: "Noted: she did not come. Her coordinator is asked to see how she is.",
    Told.COMPLETED: "Completed. What was held is free again.",
    Told.CANCELLATION_AGREED: "Cancelled, as the sender wished. What was held is free again.",
    Told.WAY_ARRANGED: "Noted: her way there is arranged.",
    Told.TAKEN_BACK: "It is taken back. A service that had it is told.",
    Told.IN_ERROR: "It has ended, as entered in error.",
    Told.GIVEN: "Your colleague has it now, with what waits about it.",
    Told.SPOKEN: "Noted for your side. It counts once both sides have said so.",
    Told.NOTE_SENT: "Your note is sealed and can be read by the other side.",
    Told.TASK_DONE: "Done.",
    Told.TASK_TAKEN: "It is yours now.",
    Told.TASK_GIVEN_BACK: "It is back on the list of your agency.",
    Told.NEXT_ASKED: "The next service is asked.",
    Told.PLAN_CLOSED: "The plan is closed. Nobody more is asked.",
    Told.CHOICE_REMOVED: "The service is taken out. It was not asked.",
    Told.CHOICE_FIRST: "It is asked first, when it comes to that.",
    Told.CHOICE_ADDED: "It is on the plan.",
    Told.CALL_KEPT: "The call is logged.",
    Told.PERSON_KEPT: "She is recorded, and sealed. Lists show her by this label alone.",
    Told.WAY_SHOWN: "Noted: she was shown the way there. Nobody was told anything of her.",
    Told.PLAN_KEPT: "The plan is kept. Texts that wait follow it from now on.",
    Told.NEED_CLOSED: "The need is closed. What was sent for it goes on.",
    Told.KEPT_AWAY: "They are kept away from now on.",
    Told.SIGNED: "It is signed, and in force.",
    Told.NOT_SIGNED: "Noted: she does not sign. All other help is hers just the same.",
    Told.RELEASE_ENDED: "It has ended, with what stood on it. Nobody reads anything under it any more.",
    Told.RELEASE_SMALLER: "It is smaller from now on. What was left out can no longer be read.",
    Told.EVERYTHING_ENDED: "Everything she had agreed to has ended. No text goes out any more.",
    Told.ERASED: "It is erased, and opens for nobody any more. Tell whoever keeps the backups of the keys.",
    Told.ONE_PERSON: "Noted: it is one person. Lists and searches show this record alone.",
    Told.TWO_PEOPLE: "Noted: they are two people.",
    Told.UNDONE: "Undone: it stands as it did before.",
    Told.GONE_ON: "Somebody has gone on from there, so nothing was undone. Look how it stands now.",
    Told.SENT: "It is sent. You are told as soon as there is an answer.",
    Told.ALL_ASKED: "All of them are asked. The first that accepts has it, and the others are told that it is filled.",
    Told.DEADLINES_KEPT: "Kept. It holds for every referral that is sent from now on.",
    Told.REMINDERS_KEPT: "Kept. What waits is planned anew by it.",
    Told.MEMBER_KEPT: "Kept. It holds at once, also where they are signed in.",
    Told.MEMBER_SIGNED_OUT: "They are signed out everywhere.",
    Told.MEMBER_OFF: "They are out. What they had to do is with their colleagues again.",
    Told.MEMBER_ON: "They may sign in again, as before.",
    Told.JOINED: "You belong to it now. Sign in with what you chose.",
    Told.PROGRAM_KEPT: "Kept. It is told from now on.",
    Told.PROGRAM_OFF: "It is told nothing more.",
    Told.TOLD_AGAIN: "It is told again in a moment.",
    Told.AGENCY_ADDED: "The agency is added. Now invite the first person there.",
    Told.AGENCY_ON: "Its members may sign in again.",
    Told.AGENCY_OFF: "Its members are out.",
    Told.CHECK_ASKED: "The check is under way.",
    Told.RECORD_KEPT: "Kept, and sealed. What stood there before stays in the history of her record.",
    Told.NUMBER_UNSAFE: "Noted. Nothing is texted to that number any more.",
    Told.OUT_OF_USE: "Out of use. It stays sealed in her history, and finds her no more.",
    Told.SIGNER_MARKED: "Noted. What they had signed has ended, and they sign nothing more.",
    Told.MARK_LIFTED: "The mark is taken back. What it had ended stays ended.",
    Told.PROPOSED: "Proposed. Nothing changes until another coordinator confirms it.",
    Told.ACT_CONFIRMED: "Confirmed, and done.",
    Told.ACT_TAKEN_BACK: "The proposal is taken back. Nothing was done.",
    Told.RELEASE_IN_ERROR: "It has ended, as entered in error, with what stood on it.",
    Told.SHARED: "The service can read it now, under her release.",
    Told.LISTING_KEPT: "Kept. Everybody who looks for it reads it so from now on.",
    Told.LISTING_SAME: "Nothing was other than before, so nothing was changed.",
    Told.LISTING_TRUE: "Thank you. It says from now on that it was looked over today.",
    Told.LISTING_FOLLOWS: "Noted. The next import brings these parts; until then they stay as they are.",
    Told.UNIT_COUNTED: "Kept. It has a card on the capacity board from now on.",
    Told.UNIT_NOT_COUNTED: "It is no longer counted.",
    Told.ARE_ONE: "Noted: it is one. Nothing was merged.",
    Told.ARE_TWO: "Noted: they are two. Nobody is asked about them again.",
}


def tell(response: Response, told: Told, *, undo: str | None, secure: bool) -> Response:
    """Have the next page say it; `undo` is sealed, and taken back with it."""
    set_cookie(response, Cookie.TOLD, told if undo is None else f"{told}{_BESIDE}{undo}", secure=secure)
    return response


def what_was_told(request: Request, *, secure: bool) -> tuple[Told | None, str | None]:
    """What the page is to say, and what it brings back to take it back."""
    code, _, undo = (read_cookie(request, Cookie.TOLD, secure=secure) or "").partition(_BESIDE)
    return (Told(code), undo or None) if code in set(Told) else (None, None)


def forget(response: Response, *, secure: bool) -> None:
    """It was said."""
    clear_cookie(response, Cookie.TOLD, secure=secure)
