"""A text may end all consent: what the worker does then in the custodian's stead, and no more (C4)."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        -- It confirms a visit, and cancels it where her consent ends; it books and moves none.
        drop policy source_confirm on appointment;
        create policy source_confirm on appointment for update to referralnet_worker
          using (source_agency_id = (select acting_case_agency()))
          with check (status in ('booked', 'cancelled'));
        grant update (status, version) on appointment to referralnet_worker;

        -- The target is told that a referral is over, by a code and without a word, as a member would tell it.
        create policy tell_target_of_end on task for insert to referralnet_worker
          with check (subject_kind = 'referral' and kind = 'referral_is_over' and detail = '{}'
            and done_at is null and done_by is null and exists (
              select from referral where referral.id = subject_id and requested_at is not null
                and source_agency_id = (select acting_agency()) and target_agency_id = task.agency_id
                and status = 'cancelled'));
    """)
