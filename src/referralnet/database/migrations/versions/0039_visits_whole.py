"""What is arranged for a visit, in codes; each party writes of it what is its own to say."""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table appointment
          add call_by text check (call_by in ('service', 'survivor')),
          add interpreter_language text check (interpreter_language ~ '^[a-z]{2,3}$'),
          add interpreter_arranged boolean not null default false,
          add travel text check (travel in ('not_needed', 'survivor', 'target', 'source')),
          add travel_arranged boolean not null default false,
          add constraint appointment_called_by_phone check (call_by is null or mode = 'phone'),
          add constraint appointment_interpreter_speaks check (interpreter_language is not null
            or not interpreter_arranged),
          add constraint appointment_travel_in_person check (travel is null or mode = 'in_person'),
          add constraint appointment_travel_is_somebodys check (not travel_arranged
            or coalesce(travel in ('survivor', 'target', 'source'), false));
        grant insert, update (call_by, interpreter_language, interpreter_arranged, travel, travel_arranged)
          on appointment to referralnet_app;
    """)
    _each_party_its_own()
    _travel_as_a_task()


def _each_party_its_own() -> None:
    op.execute("""
        -- The source ends a visit, or says that the way it sees to is arranged; nothing else of a visit is its own.
        alter policy source_cancel on appointment
          with check (status = 'cancelled' or (status = 'booked' and travel = 'source'));
        create function keep_visit_to_its_parties() returns trigger language plpgsql
          set search_path = public, pg_temp as $$
        declare
          by_target boolean := acting_case_agency() is not distinct from new.target_agency_id;
          said_before boolean := tg_op = 'UPDATE' and old.travel is not distinct from 'source' and old.travel_arranged;
        begin
          if by_target then
            if new.travel = 'source' and new.travel_arranged and not said_before then
              raise exception 'the source says itself that it is arranged' using errcode = 'insufficient_privilege';
            end if;
            -- R5: it is told neither how a visit is held nor that there is a way to see to.
            if new.travel = 'source' and exists (select from referral where referral.id = new.referral_id
                and referral.source_agency_kind in ('law_enforcement', 'prosecution')) then
              raise exception 'this source sees to no way' using errcode = 'insufficient_privilege';
            end if;
          elsif tg_op = 'UPDATE' and acting_case_agency() is not distinct from new.source_agency_id and (
              (new.starts_at, new.time_zone, new.duration_minutes, new.mode, new.call_by, new.interpreter_language,
                new.interpreter_arranged, new.travel)
              is distinct from (old.starts_at, old.time_zone, old.duration_minutes, old.mode, old.call_by,
                old.interpreter_language, old.interpreter_arranged, old.travel)
              or (new.travel_arranged <> old.travel_arranged and old.travel is distinct from 'source')) then
            raise exception 'a visit is its target''s to change' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        create trigger keep_visit before insert or update on appointment
          for each row execute function keep_visit_to_its_parties();
    """)


def _travel_as_a_task() -> None:
    op.execute("""
        -- That the source is to see to the way, by a code and without a word.
        create policy told_of_travel on task for insert to referralnet_app
          with check (subject_kind = 'referral' and kind = 'arrange_travel' and detail = '{}' and done_at is null
            and done_by is null and exists (
              select from referral join appointment on appointment.referral_id = referral.id
              where referral.id = task.subject_id and referral.target_agency_id = (select acting_case_agency())
                and referral.source_agency_id = task.agency_id
                and appointment.status = 'booked' and appointment.travel = 'source'));

        -- Security definer: it stands on the source's worklist, which the target does not see.
        create function close_travel() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          update task set done_at = clock_timestamp(), done_by = acting_member()
          where kind = 'arrange_travel' and subject_id = new.referral_id and done_at is null;
          return null;
        end
        $$;
        revoke execute on function close_travel from public;
        create trigger close_travel after update on appointment for each row
          when (old.travel = 'source' and (new.status <> 'booked' or new.travel is distinct from 'source'))
          execute function close_travel();
    """)
