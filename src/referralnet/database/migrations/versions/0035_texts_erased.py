"""What texts held is erased when nothing about them can arrive any more, here and at the carrier (M10)."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table text_message
          add erased_at timestamptz,
          add carrier_erased_at timestamptz,
          add erase_tried_at timestamptz,
          -- What was erased cannot be put back.
          add constraint text_message_stays_erased
            check (erased_at is null or (to_sealed is null and body_sealed is null));
        create index text_message_kept_idx on text_message (state_at)
          where to_sealed is not null or body_sealed is not null;
        create index text_message_at_carrier_idx on text_message (state_at)
          where carrier_sid is not null and carrier_erased_at is null;

        alter table inbound_text
          alter from_lookup drop not null,
          alter from_sealed drop not null,
          alter body_sealed drop not null,
          add carrier_erased_at timestamptz,
          add erase_tried_at timestamptz,
          -- All of it or nothing, and only what has been read.
          add constraint inbound_text_is_erased_whole check (num_nulls(from_lookup, from_sealed, body_sealed) in (0, 3)
            and (body_sealed is not null or handled_at is not null));
        create index inbound_text_kept_idx on inbound_text (handled_at) where body_sealed is not null;
        create index inbound_text_at_carrier_idx on inbound_text (handled_at) where carrier_erased_at is null;
        grant update (from_lookup, from_sealed, body_sealed, carrier_erased_at, erase_tried_at) on inbound_text
          to referralnet_worker;
    """)
