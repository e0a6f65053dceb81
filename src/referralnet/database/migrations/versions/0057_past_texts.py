"""What has gone does not slow down what is to go: every look at texts reads an index of what it looks for."""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        -- Those that nobody could settle stay unknown for good, long after anything is to be done about them.
        drop index text_message_unknown_idx;
        create index text_message_untold_idx on text_message (state_at) where state = 'unknown' and told_at is null;
        create index text_message_unsettled_idx on text_message (state_at)
          where state = 'unknown' and to_sealed is not null;
        -- In the words of messaging/erasing.py, because an index for some rows serves only who asks for no others.
        drop index text_message_at_carrier_idx;
        create index text_message_at_carrier_idx on text_message (state_at)
          where carrier_erased_at is null and (carrier_sid is not null or state = 'unknown' and to_sealed is not null);
        -- The texts of one referral, whatever became of them.
        create index text_message_subject_id_idx on text_message (subject_id, due_at);

        -- A report that was applied is kept for as long as the carrier may send it again.
        create index carrier_callback_handled_idx on carrier_callback (handled_at) where handled_at is not null;
        grant delete on carrier_callback to referralnet_worker;
    """)
