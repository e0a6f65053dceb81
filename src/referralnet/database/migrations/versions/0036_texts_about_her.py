"""Texts about herself: that there is news, where she chose it, and whether her number still holds; and texts that move
when her contact plan does.
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

PLAN = """phone_sealed, language, time_zone, safe_windows, sender_label, code_phrase_sealed, voicemail_ok,
            texts_opted_in_at, opt_in_method, reconfirm_by, status_digest"""
# What decides whether and when she is texted; the rest is read when a text is written.
DECIDES = (
    "phone_lookup",
    "time_zone",
    "safe_windows",
    "texts_opted_in_at",
    "reconfirm_by",
    "status_digest",
    "paused_at",
)


def upgrade() -> None:
    _kinds()
    _she_chooses()
    _news()
    _changed_plans()


def _kinds() -> None:
    op.execute("""
        alter table text_message drop constraint text_message_kind_check;
        alter table text_message add constraint text_message_kind_check check (kind in ('appointment_set',
          'appointment_changed', 'appointment_cancelled', 'appointment_reminder', 'status_digest', 'reconfirm_contact',
          'opt_out_confirmation', 'help_reply'));
        -- However many things happen, one text waits to say that there is news.
        create unique index text_message_one_waits_key on text_message (survivor_id, kind)
          where kind in ('status_digest', 'reconfirm_contact') and state in ('scheduled', 'claimed');
    """)


def _she_chooses() -> None:
    op.execute(f"""
        alter table contact_plan
          add status_digest boolean not null default false,
          add constraint contact_plan_news_by_text_needs_opt_in
            check (not status_digest or texts_opted_in_at is not null);
        alter table contact_plan_version add status_digest boolean not null default false;
        create or replace function remember_contact_plan() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into contact_plan_version (agency_id, survivor_id, contact_plan_id, version, {PLAN}, kept_by)
          select new.agency_id, new.survivor_id, new.id,
            (select coalesce(max(version), 0) + 1 from contact_plan_version where contact_plan_id = new.id),
            new.{", new.".join(PLAN.replace(chr(10), " ").split(", "))}, acting_member();
          return null;
        end
        $$;
        drop trigger remember_keeping on contact_plan;
        create trigger remember_keeping after insert or update of {PLAN} on contact_plan
          for each row execute function remember_contact_plan();
    """)


def _news() -> None:
    # The custodian is told by the database, whoever answered: a target has no more to do with what she reads.
    op.execute("""
        alter table notice drop constraint notice_kind_check, drop constraint notice_occurrence_check;
        alter table notice
          add constraint notice_kind_check
            check (kind in ('appointment_set', 'appointment_changed', 'appointment_cancelled', 'referral_news')),
          add constraint notice_occurrence_check check (kind = 'referral_news'
            or ((occurrence ->> 'appointment_id')::uuid is not null
              and (occurrence ->> 'starts_at')::timestamptz is not null and occurrence ->> 'time_zone' is not null));
        create index notice_referral_id_idx on notice (referral_id, created_at);
        create policy news_is_not_written on notice as restrictive for insert to referralnet_app
          with check (kind <> 'referral_news');
        create policy news_by_the_database on notice for insert to referralnet_owner
          with check (pg_trigger_depth() > 0 and kind = 'referral_news');

        -- Security definer: the target that answers may not write what its source is told of.
        create function tell_news() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)
          values (gen_random_uuid(), new.source_agency_id, new.id, 'referral_news', '{}', new.changed_at);
          return null;
        end
        $$;
        revoke execute on function tell_news() from public;
        create trigger tell_news after update on referral for each row
          when (new.status is distinct from old.status and new.last_event in ('accept', 'waitlist', 'reject', 'expire'))
          execute function tell_news();

        drop trigger supersede_texts on notice;
        create trigger supersede_texts after insert on notice for each row
          when (new.kind in ('appointment_changed', 'appointment_cancelled')) execute function supersede_texts();
    """)


def _changed_plans() -> None:
    op.execute(f"""
        create table contact_plan_change (
          survivor_id uuid primary key,
          agency_id uuid not null,
          changed_at timestamptz not null default clock_timestamp(),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade
        );
        alter table contact_plan_change enable row level security;
        alter table contact_plan_change force row level security;
        create policy by_the_database on contact_plan_change for insert to referralnet_owner
          with check (pg_trigger_depth() > 0);
        create policy dispatch_read on contact_plan_change for select to referralnet_worker
          using ((select acting_agency()) is null or agency_id = (select acting_agency()));
        create policy custody_handle on contact_plan_change for delete to referralnet_worker
          using (agency_id = (select acting_agency()));
        grant select, delete on contact_plan_change to referralnet_worker;
        create trigger wake_worker after insert on contact_plan_change for each statement
          execute function wake_worker();

        -- Security definer: nobody but the worker has to do with these rows. A pause stops the texts by itself.
        create function tell_of_changed_plan() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          if new.paused_at is null and (tg_op = 'INSERT'
              or (new.{", new.".join(DECIDES)}) is distinct from (old.{", old.".join(DECIDES)})) then
            insert into contact_plan_change (survivor_id, agency_id) values (new.survivor_id, new.agency_id)
            on conflict do nothing;
          end if;
          return null;
        end
        $$;
        revoke execute on function tell_of_changed_plan() from public;
        create trigger tell_of_changed_plan after insert or update on contact_plan
          for each row execute function tell_of_changed_plan();
    """)
