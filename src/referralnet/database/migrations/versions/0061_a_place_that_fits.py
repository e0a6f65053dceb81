"""What is held fits her household: a family room before beds, and as many beds as there are people (R2)."""

from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

WAITING_TASKS = """('send_referral', 'answer_referral', 'decide_waitlisted_referral', 'arrange_service',
    'complete_referral', 'confirm_cancellation', 'offer_free_unit')"""


def upgrade() -> None:
    op.execute(f"""
        -- None: one, as every referral held before.
        alter table referral add held_units smallint,
          add constraint referral_held_units_are_held check (
            held_units is null or (held_units > 0 and held_capacity_id is not null));
        grant update (held_units) on referral to referralnet_app;

        create function keep_held_units() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          if new.held_capacity_id is null then
            new.held_units := null;
          elsif new.held_units is distinct from old.held_units and new.last_event <> 'accept' then
            raise exception 'units are held by accepting' using errcode = 'check_violation';
          end if;
          return new;
        end
        $$;
        create trigger keep_held_units before update on referral for each row execute function keep_held_units();

        drop function directory_free_unit(uuid);
        create function directory_free_units(capacity uuid, units integer) returns boolean
          language sql volatile security definer set search_path = public, pg_temp as $$
          with freed as (
            update service_capacity
              set held = held - least(units, held),
                available = least(available + least(units, held), coalesce(maximum, available + least(units, held)))
            where id = capacity and held > 0
            returning id
          )
          select exists (select from freed)
        $$;
        revoke all on function directory_free_units(uuid, integer) from public;

        -- As in 0020, but that all are given back.
        create or replace function remember_referral_event() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into referral_event (referral_id, sequence, event, from_status, to_status, business_status, reason,
            by_agency_id, by_member_id, at)
          values (new.id, old.version, new.last_event, old.status, new.status, new.business_status,
            coalesce(new.status_reason, new.outcome),
            case when acting_member() is not null or new.last_event = 'send' then acting_agency() end,
            case when acting_member() is null and new.last_event = 'send' then (
              select routing_plan.coordinator_id from routing_choice join routing_plan on routing_plan.id = plan_id
              where routing_choice.referral_id = new.id) else acting_member() end,
            new.changed_at);
          if new.status <> old.status then
            update task set done_at = new.changed_at, done_by = acting_member()
            where subject_kind = 'referral' and subject_id = new.id and done_at is null
              and kind in {WAITING_TASKS};
          end if;
          if old.held_capacity_id is not null and new.held_capacity_id is null then
            perform directory_free_units(old.held_capacity_id, coalesce(old.held_units, 1));
          end if;
          return null;
        end
        $$;
    """)
