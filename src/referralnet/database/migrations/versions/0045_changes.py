"""What changed is told to whoever listens: by agency, and in an order in which nothing can be passed by."""

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

CHANNEL = "referralnet_changes"


def upgrade() -> None:
    _in_which_transaction()
    _told_by_agency()


def _in_which_transaction() -> None:
    # A sequence is drawn before its transaction commits, so that a reader may see a later number first and pass by an
    # earlier one. Which transactions are over, every snapshot knows (decision 0109).
    op.execute("""
        alter table referral_event add changed_in bigint not null default pg_current_xact_id()::text::bigint;
        create index referral_event_changed_in_idx on referral_event (changed_in);
        alter table task add changed_in bigint not null default pg_current_xact_id()::text::bigint;
        create index task_changed_in_idx on task (agency_id, changed_in);

        create function note_transaction() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          new.changed_in := pg_current_xact_id()::text::bigint;
          return new;
        end
        $$;
        create trigger note_transaction before insert or update on task
          for each row execute function note_transaction();
        create trigger note_transaction before insert on referral_event
          for each row execute function note_transaction();
    """)


def _told_by_agency() -> None:
    # An agency's id and nothing else: what changed is read by each who listens, in a transaction of her own.
    op.execute(f"""
        create function tell_parties() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          perform pg_notify('{CHANNEL}', new.source_agency_id::text);
          perform pg_notify('{CHANNEL}', new.target_agency_id::text);
          return null;
        end
        $$;
        create trigger tell_parties after update of status, version on referral
          for each row execute function tell_parties();
        create function tell_agency() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          perform pg_notify('{CHANNEL}', new.agency_id::text);
          return null;
        end
        $$;
        create trigger tell_agency after insert or update on task for each row execute function tell_agency();
    """)
