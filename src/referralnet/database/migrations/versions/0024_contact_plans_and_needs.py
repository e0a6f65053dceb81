"""Every keeping of a contact plan is a version, an opt-in is of one number, needs are closed and hold no free text."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KEEPER = "agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))"
PLAN = """phone_sealed, language, time_zone, safe_windows, sender_label, code_phrase_sealed, voicemail_ok,
            texts_opted_in_at, opt_in_method, reconfirm_by"""


def upgrade() -> None:
    _plan_versions()
    _capped()
    _notes_for_the_worker()
    _opt_in()
    _needs()
    _no_free_text()


def _plan_versions() -> None:
    op.execute(f"""
        create table contact_plan_version (
          id uuid primary key default gen_random_uuid(),
          agency_id uuid not null,
          survivor_id uuid not null,
          contact_plan_id uuid not null,
          version integer not null,
          -- As they stood in contact_plan, sealed for that place.
          phone_sealed bytea not null,
          language text not null,
          time_zone text not null,
          safe_windows jsonb not null,
          sender_label text not null,
          code_phrase_sealed bytea,
          voicemail_ok boolean not null,
          texts_opted_in_at timestamptz,
          opt_in_method text,
          reconfirm_by date not null,
          kept_by uuid references member (id),
          kept_at timestamptz not null default now(),
          unique (agency_id, contact_plan_id, version),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade
        );
        create index contact_plan_version_survivor_id_idx on contact_plan_version (survivor_id);
        create index contact_plan_reconfirm_by_idx on contact_plan (agency_id, reconfirm_by);

        -- Security definer: the application only reads this history. Pausing a plan is no keeping, and is in the trail.
        create function remember_contact_plan() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into contact_plan_version (agency_id, survivor_id, contact_plan_id, version, {PLAN}, kept_by)
          select new.agency_id, new.survivor_id, new.id,
            (select coalesce(max(version), 0) + 1 from contact_plan_version where contact_plan_id = new.id),
            new.{", new.".join(PLAN.replace(chr(10), " ").split(", "))}, acting_member();
          return null;
        end
        $$;
        revoke execute on function remember_contact_plan() from public;
        create trigger remember_keeping after insert or update of {PLAN} on contact_plan
          for each row execute function remember_contact_plan();

        -- Lifted for this statement alone: the owner sees no plan.
        alter table contact_plan no force row level security;
        insert into contact_plan_version (agency_id, survivor_id, contact_plan_id, version, {PLAN})
        select agency_id, survivor_id, id, 1, {PLAN} from contact_plan;
        alter table contact_plan force row level security;

        alter table contact_plan_version enable row level security;
        alter table contact_plan_version force row level security;
        create policy counted_by_the_database on contact_plan_version for select to referralnet_owner
          using (pg_trigger_depth() > 0);
        create policy by_the_database on contact_plan_version for insert to referralnet_owner
          with check (pg_trigger_depth() > 0);
        create policy keeper_read on contact_plan_version for select to referralnet_app using ({KEEPER});
        create policy within_reach on contact_plan_version as restrictive to referralnet_app
          using (survivor_id not in (select acting_blocked_survivors()));
        grant select on contact_plan_version to referralnet_app;
    """)


def _capped() -> None:
    # A plan opens a number: the cap of the hour holds for it as for the rest of what opens identity (A5).
    op.execute("""
        create or replace function acts_per_hour_max(wanted_action text) returns integer language sql immutable
          set search_path = public, pg_temp return case wanted_action
            when 'survivor_revealed' then 60 when 'survivor_history_read' then 30 when 'contact_plans_read' then 60
            when 'disclosure_read' then 60 end;
        drop trigger cap_reveals on audit_event;
        create trigger cap_reveals before insert on audit_event
          for each row when (new.member_id is not null and new.action in
            ('survivor_revealed', 'survivor_history_read', 'contact_plans_read', 'disclosure_read'))
          execute function cap_reveals();
    """)


def _notes_for_the_worker() -> None:
    # It makes the disclosure for the next choice of a routing plan, and a release may name a category with a note.
    op.execute("""
        create policy custody_read on survivor_note for select to referralnet_worker
          using (agency_id = (select acting_case_agency()));
        grant select on survivor_note to referralnet_worker;
    """)


def _opt_in() -> None:
    # She agreed to texts on one number. Another number has not agreed to anything (M1).
    op.execute("""
        create function keep_opt_in_to_its_number() returns trigger language plpgsql set search_path = public, pg_temp
          as $$
        begin
          raise exception 'an opt-in is of one number' using errcode = 'check_violation';
        end
        $$;
        create trigger opt_in_of_one_number before update on contact_plan for each row
          when (new.phone_lookup <> old.phone_lookup and new.texts_opted_in_at <= old.texts_opted_in_at)
          execute function keep_opt_in_to_its_number();
    """)


def _needs() -> None:
    op.execute("""
        alter table need
          add changed_at timestamptz,
          add closed_at timestamptz,
          add closed_reason text
            check (closed_reason in ('met', 'partly_met', 'not_met', 'no_longer_wanted', 'recorded_in_error')),
          add constraint need_end_is_coded check ((closed_at is null) = (closed_reason is null));
    """)


def _no_free_text() -> None:
    # A service reads these before it knows anybody: no name fits into them, whoever speaks SQL (R4).
    for table in ("need", "referral"):
        op.execute(f"""
            alter table {table}
              add constraint {table}_holds_no_free_text check (
                service_type ~ '^[!-~]{{1,60}}$' and region ~ '^([A-Z]{{2}}-[A-Z0-9]{{1,3}}|[0-9]{{3}})$'
                and language ~ '^[a-z]{{2,3}}$' and accessibility <@ array['step_free', 'ground_floor',
                  'accessible_washroom', 'sign_language', 'low_vision', 'service_animal', 'quiet_space']);
        """)
