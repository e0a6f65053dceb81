"""A disclosure has versions, is read once for each second factor, and neither is without its row in the trail."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table disclosure add column version smallint not null default 1 check (version >= 1),
          drop constraint disclosure_referral_id_release_id_key,
          add unique (referral_id, release_id, version);
        -- That there is news, once the target may read it, by a code and without a word.
        create policy told_of_news on task for insert to referralnet_app
          with check (subject_kind = 'referral' and kind = 'read_updated_disclosure' and detail = '{}'
            and done_at is null and done_by is null and exists (
              select from referral where referral.id = subject_id and source_agency_id = (select acting_case_agency())
                and target_agency_id = task.agency_id and accepted_at is not null));
    """)
    _readings()
    _in_the_trail()


def _readings() -> None:
    op.execute("""
        create table disclosure_reading (
          disclosure_id uuid not null references disclosure (id),
          -- The reader's.
          agency_id uuid not null references agency (id),
          member_id uuid not null references member (id),
          stepped_up_at timestamptz not null,
          read_at timestamptz not null default statement_timestamp(),
          transaction_id bigint not null default (pg_current_xact_id()::text::bigint),
          primary key (disclosure_id, member_id, stepped_up_at)
        );
        alter table disclosure_reading enable row level security;
        alter table disclosure_reading force row level security;
        create policy own_read on disclosure_reading for select to referralnet_app
          using (agency_id = (select acting_case_agency()) and member_id = (select acting_member())
            and exists (select from disclosure where disclosure.id = disclosure_id));
        -- By the recipient, with the second factor of a session of her own, within five minutes of it.
        create policy recipient_reads on disclosure_reading for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and member_id = (select acting_member())
            and exists (select from disclosure where disclosure.id = disclosure_id
              and disclosure.recipient_agency_id = disclosure_reading.agency_id)
            and exists (select from member_session where member_session.member_id = disclosure_reading.member_id
              and member_session.stepped_up_at = disclosure_reading.stepped_up_at and revoked_at is null
              and member_session.stepped_up_at > statement_timestamp() - interval '5 minutes'));
        grant select, insert (disclosure_id, agency_id, member_id, stepped_up_at) on disclosure_reading
          to referralnet_app;

        -- The recipient sees what it says in the transaction that noted the reading, and in no other.
        alter policy party_read on disclosure_item using (exists (
          select from disclosure where disclosure.id = disclosure_id
            and (disclosure.agency_id = (select acting_case_agency())
              or (is_released(disclosure.release_id, disclosure_item.category) and exists (
                select from disclosure_reading where disclosure_reading.disclosure_id = disclosure.id
                  and disclosure_reading.transaction_id = (select pg_current_xact_id_if_assigned()::text::bigint))))));
    """)


def _in_the_trail() -> None:
    # At the commit: what was told, and that it was read, is not kept without its row in the trail (C11, U1). Security
    # definer: the trail is read by auditors alone.
    op.execute("""
        create function require_making_in_trail() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          if not exists (select from audit_event where subject_id = new.id and action = 'disclosure_made'
              and agency_id = new.agency_id and detail ->> 'release' = new.release_id::text
              and detail ->> 'recipient' = new.recipient_agency_id::text) then
            raise exception 'a disclosure is not without its row in the trail' using errcode = 'insufficient_privilege';
          end if;
          return null;
        end
        $$;
        create function require_reading_in_trail() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          if not exists (select from audit_event where subject_id = new.disclosure_id and action = 'disclosure_read'
              and agency_id = new.agency_id and member_id = new.member_id and at >= new.read_at) then
            raise exception 'a reading is not without its row in the trail' using errcode = 'insufficient_privilege';
          end if;
          return null;
        end
        $$;
        revoke execute on function require_making_in_trail, require_reading_in_trail from public;
        create constraint trigger making_in_the_trail after insert on disclosure deferrable initially deferred
          for each row execute function require_making_in_trail();
        create constraint trigger reading_in_the_trail after insert on disclosure_reading deferrable initially deferred
          for each row execute function require_reading_in_trail();
    """)
