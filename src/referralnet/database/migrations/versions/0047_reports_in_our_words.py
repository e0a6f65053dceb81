"""A carrier's reports are kept in our own states, whichever carrier it is, and once for each text that they name."""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table carrier_callback drop constraint carrier_callback_carrier_sid_status_key;
        -- The owner as well is bound by row security, and no policy lets it in.
        alter table carrier_callback no force row level security;
        update carrier_callback set status = case status
            when 'read' then 'delivered' when 'canceled' then 'failed' else 'accepted' end
          where status not in ('accepted', 'sent', 'delivered', 'undelivered', 'failed');
        delete from carrier_callback repeated using carrier_callback earlier
          where (repeated.text_id, repeated.carrier_sid, repeated.status)
              = (earlier.text_id, earlier.carrier_sid, earlier.status)
            and (repeated.received_at, repeated.id) > (earlier.received_at, earlier.id);
        alter table carrier_callback force row level security;
        alter table carrier_callback
          -- A carrier may give two texts one name, by a mistake of its own.
          add constraint carrier_callback_once_key unique (text_id, carrier_sid, status),
          add constraint carrier_callback_status_check
            check (status in ('accepted', 'sent', 'delivered', 'undelivered', 'failed'));
    """)
