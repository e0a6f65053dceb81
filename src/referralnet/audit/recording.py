"""Append to the trail, in the transaction of what is recorded: no audit, no data (U1)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.direct import Direct, fetch_all


class Action(StrEnum):
    """What can be done or seen that the trail must tell."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    STEPPED_UP = "stepped_up"
    INVITATION_ACCEPTED = "invitation_accepted"
    MEMBER_CHANGED = "member_changed"
    AGENCY_CHANGED = "agency_changed"
    IMPORT_ASKED = "import_asked"
    TRAIL_EXPORTED = "trail_exported"
    TRAIL_CHECK_ASKED = "trail_check_asked"
    ATTEMPT_REFUSED = "attempt_refused"
    SURVIVOR_RECORDED = "survivor_recorded"
    SURVIVOR_REVEALED = "survivor_revealed"
    SURVIVOR_CORRECTED = "survivor_corrected"
    SURVIVOR_HISTORY_READ = "survivor_history_read"
    SURVIVORS_SEARCHED = "survivors_searched"
    SURVIVORS_COMPARED = "survivors_compared"
    ALIAS_CHANGED = "alias_changed"
    NUMBER_CHANGED = "number_changed"
    SIGNER_CHANGED = "signer_changed"
    SIGNER_MARKED = "signer_marked"
    SIGNER_MARK_LIFTED = "signer_mark_lifted"
    NOTE_WRITTEN = "note_written"
    LIKENESS_DECIDED = "likeness_decided"
    SURVIVOR_ERASED = "survivor_erased"
    CONTACT_PLAN_KEPT = "contact_plan_kept"
    BLOCK_SET = "block_set"
    CONTACT_PLANS_READ = "contact_plans_read"
    SURVIVOR_WORDS_READ = "survivor_words_read"
    ACT_PROPOSED = "act_proposed"
    ACT_CONFIRMED = "act_confirmed"
    ACT_CANCELLED = "act_cancelled"
    MANDATE_RECORDED = "mandate_recorded"
    MANDATES_READ = "mandates_read"
    NEED_RECORDED = "need_recorded"
    NEED_CHANGED = "need_changed"
    RELEASE_PROPOSED = "release_proposed"
    RELEASE_RECORDED = "release_recorded"
    RELEASE_NARROWED = "release_narrowed"
    RELEASE_DECLINED = "release_declined"
    RELEASE_ENDED = "release_ended"
    RELEASE_PRINTED = "release_printed"
    DISCLOSURE_MADE = "disclosure_made"
    DISCLOSURE_READ = "disclosure_read"
    ACCOUNTING_READ = "accounting_read"
    KEY_OUTLIVED_RELEASE = "key_outlived_release"
    SIGNATURE_READ = "signature_read"
    HANDOFF_MADE = "handoff_made"
    REFERRAL_SENT = "referral_sent"
    REFERRAL_CHANGED = "referral_changed"
    ANSWER_AWAITED = "answer_awaited"
    REFERRAL_ASSIGNED = "referral_assigned"
    REFERRAL_NOTED = "referral_noted"
    REFERRAL_NOTES_READ = "referral_notes_read"
    HANDOFF_CONFIRMED = "handoff_confirmed"
    CALL_LOGGED = "call_logged"
    ROUTING_STARTED = "routing_started"
    ROUTING_CHANGED = "routing_changed"
    APPOINTMENT_CHANGED = "appointment_changed"
    CALENDAR_TAKEN = "calendar_taken"
    REFERRALS_EXPORTED = "referrals_exported"
    REFERRALS_IMPORTED = "referrals_imported"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CAPACITY_CONFIRMED = "capacity_confirmed"
    LISTING_CHANGED = "listing_changed"
    DUPLICATE_DECIDED = "duplicate_decided"
    TEXT_PLANNED = "text_planned"
    TEXT_SENT = "text_sent"
    TEXTS_STOPPED = "texts_stopped"
    TEXT_POLICY_CHANGED = "text_policy_changed"
    DEADLINES_CHANGED = "deadlines_changed"
    TASK_ASSIGNED = "task_assigned"
    TASK_CLOSED = "task_closed"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_REPLAYED = "webhook_replayed"


_RECORD = Direct(
    text("""
        insert into audit_event (action, subject_kind, subject_id, agency_id, member_id, detail)
        values (:action, :subject_kind, :subject_id, acting_agency(), acting_member(), :detail)
    """).bindparams(bindparam("subject_id", type_=Uuid()), bindparam("detail", type_=JSONB()))
)


_RECORD_EACH = """
    insert into audit_event (action, subject_kind, subject_id, agency_id, member_id)
    select $1, $2, subject_id, acting_agency(), acting_member() from unnest($3::uuid[]) as subject_id
"""


async def record(
    session: AsyncSession, action: Action, subject_kind: str, subject_id: UUID, **codes: str | int | list[str] | None
) -> None:
    """Append one event for whoever this transaction acts for; row security refuses any other name on it.

    Args:
        session: the transaction of the act itself.
        action: what was done or seen.
        subject_kind: the table's name of the thing it was done to.
        subject_id: that thing's id.
        codes: ids, codes and counts that explain it; never identity (U3).
    """
    detail = {name: code for name, code in codes.items() if code is not None}
    await _RECORD.all(session, action=action, subject_kind=subject_kind, subject_id=subject_id, detail=detail)


async def record_each(session: AsyncSession, action: Action, subject_kind: str, subject_ids: Sequence[UUID]) -> None:
    """Append one event for each of several things to which the same was done, as `record` does for one."""
    await fetch_all(session, _RECORD_EACH, action, subject_kind, subject_ids)
