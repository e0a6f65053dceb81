"""Routing plans: several choices for one need, in turn or together, in the source's custody; one acceptance at most."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# The tasks that leaving a state closes; a free unit was offered to whoever waits, and that is over as well.
WAITING_TASKS = """('send_referral', 'answer_referral', 'decide_waitlisted_referral', 'arrange_service',
    'complete_referral', 'confirm_cancellation', 'offer_free_unit')"""


def upgrade() -> None:
    _plans()
    _choices()
    _policies()
    _one_acceptance()
    _found_by_the_worker()
    _offered_by_the_worker()
    _disclosed_by_the_worker()


def _plans() -> None:
    # In one custody alone: a plan's id in a row that targets see would tell them who else was asked (C6).
    op.execute("""
        create table routing_plan (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          survivor_id uuid not null,
          need_id uuid not null,
          coordinator_id uuid not null references member (id),
          mode text not null check (mode in ('in_turn', 'together')),
          status text not null check (status in ('open', 'waiting', 'accepted', 'closed')),
          accepted_referral_id uuid unique references referral (id),
          look_at timestamptz,
          created_at timestamptz not null,
          closed_at timestamptz,
          unique (agency_id, id),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id),
          foreign key (agency_id, need_id) references need (agency_id, id),
          constraint routing_plan_accepted_is_named check (case status
            when 'accepted' then accepted_referral_id is not null
            when 'closed' then true
            else accepted_referral_id is null end),
          constraint routing_plan_closed_is_dated
            check ((status = 'closed') = (closed_at is not null) and (status <> 'closed' or look_at is null))
        );
        -- With the agency, here and below: a key that is taken would tell an outsider that there is another's.
        create unique index routing_plan_need_key on routing_plan (agency_id, need_id) where status <> 'closed';
        create index routing_plan_survivor_id_idx on routing_plan (survivor_id, created_at);
        create index routing_plan_look_at_idx on routing_plan (look_at) where look_at is not null;

        create trigger closed_for_good before update on routing_plan for each row
          when (old.status = 'closed') execute function refuse_change();
        create trigger wake_worker after insert or update of look_at on routing_plan for each row
          when (new.look_at is not null) execute function wake_worker();
    """)


def _choices() -> None:
    op.execute("""
        create table routing_choice (
          id uuid primary key,
          agency_id uuid not null,
          plan_id uuid not null,
          position integer,
          service_at_location_id uuid not null references service_at_location (id),
          release_id uuid,
          categories text[] not null,
          referral_id uuid unique references referral (id),
          removed_at timestamptz,
          unique (agency_id, plan_id, position),
          foreign key (agency_id, plan_id) references routing_plan (agency_id, id),
          foreign key (agency_id, release_id) references release (agency_id, id),
          check ((release_id is null) = (categories = '{}')),
          check ((removed_at is null) = (position is not null) and (removed_at is null or referral_id is null))
        );
        create unique index routing_choice_once_key on routing_choice (agency_id, plan_id, service_at_location_id)
          where referral_id is null and removed_at is null;
        create index routing_choice_plan_id_idx on routing_choice (plan_id);
        create index routing_choice_release_id_idx on routing_choice (release_id);

        create function keep_offered_choice() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          if tg_op = 'UPDATE' and old.referral_id is not null then
            raise exception 'what was offered stays as it was' using errcode = 'check_violation';
          end if;
          if new.referral_id is not null and not exists (select from referral where id = new.referral_id
              and source_agency_id = new.agency_id and service_at_location_id = new.service_at_location_id) then
            raise exception 'a choice is offered by a referral of one''s own to its service'
              using errcode = 'check_violation';
          end if;
          return new;
        end
        $$;
        create trigger keep_offered before insert or update on routing_choice
          for each row execute function keep_offered_choice();
    """)


def _policies() -> None:
    for table in ("routing_plan", "routing_choice"):
        op.execute(f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy custodian_all on {table} to referralnet_app, referralnet_worker
              using (agency_id = (select acting_case_agency()));
            -- For the functions below, which a serving role calls: an operator's own session sees no row.
            create policy within_functions on {table} to referralnet_owner
              using (session_user in ('referralnet_app', 'referralnet_worker'));
        """)
    op.execute("""
        -- All at once is for tonight's bed: a need that can wait is put to one service after another.
        create policy together_when_urgent on routing_plan as restrictive for insert to referralnet_app
          with check (mode = 'in_turn'
            or exists (select from need where need.id = need_id and need.urgency = 'urgent'));
        -- Who was accepted is written by the trigger of acceptance alone.
        grant select, insert (id, agency_id, survivor_id, need_id, coordinator_id, mode, status, look_at, created_at),
          update (status, look_at, closed_at) on routing_plan to referralnet_app;
        grant select, update (status, look_at, closed_at) on routing_plan to referralnet_worker;
        grant select, insert, update (position, release_id, categories, referral_id, removed_at) on routing_choice
          to referralnet_app;
        grant select, update (referral_id) on routing_choice to referralnet_worker;
    """)


def _one_acceptance() -> None:
    # Security definer, both: the target that answers cannot see the plan, and must not.
    op.execute("""
        create policy asked_by_party on referral for select to referralnet_owner
          using ((select acting_case_agency()) in (source_agency_id, target_agency_id));

        -- Plans are locked before their referrals, always in this order, so that no two acts wait for each other.
        -- True where another referral of the plan was accepted. To whoever is no party: false, as where there is none.
        create function hold_routing_plan(wanted uuid) returns boolean language plpgsql security definer
          set search_path = public, pg_temp as $$
        declare
          accepted uuid;
        begin
          select routing_plan.accepted_referral_id into accepted
          from routing_choice join routing_plan on routing_plan.id = routing_choice.plan_id
          where routing_choice.referral_id = wanted and exists (select from referral where referral.id = wanted)
          for update of routing_plan;
          return accepted is not null and accepted <> wanted;
        end
        $$;
        revoke execute on function hold_routing_plan from public;
        grant execute on function hold_routing_plan to referralnet_app, referralnet_worker;

        create function follow_referral_of_plan() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        declare
          plan routing_plan;
        begin
          select routing_plan.* into plan
          from routing_choice join routing_plan on routing_plan.id = routing_choice.plan_id
          where routing_choice.referral_id = new.id for update of routing_plan;
          if not found then
            return null;
          end if;
          if new.last_event = 'accept' then
            if plan.accepted_referral_id is not null or plan.status = 'closed' then
              raise exception 'another service has accepted' using errcode = 'RN001';
            end if;
            update routing_plan set accepted_referral_id = new.id, status = 'accepted', look_at = new.changed_at
            where id = plan.id;
          elsif new.ended_at is null or new.last_event = 'filled' or plan.status = 'closed' then
            return null;
          elsif plan.accepted_referral_id = new.id and new.status <> 'completed' then
            update routing_plan set accepted_referral_id = null, look_at = new.changed_at,
              status = case new.status when 'rejected' then 'open' else 'waiting' end
            where id = plan.id;
          else
            -- A refusal or silence leads on to the next; whatever else ended it, a person decides.
            update routing_plan set look_at = new.changed_at, status = case
              when status = 'open' and mode = 'in_turn' and new.last_event not in ('reject', 'expire') then 'waiting'
              else status end
            where id = plan.id;
          end if;
          return null;
        end
        $$;
        revoke execute on function follow_referral_of_plan from public;
        create trigger follow_plan after update on referral for each row
          when (new.status is distinct from old.status) execute function follow_referral_of_plan();
    """)


def _found_by_the_worker() -> None:
    op.execute("""
        -- Security definer: without a custody the worker learns which plans are due and whose, and nothing in them.
        create function plans_to_follow(how_many integer) returns table (plan_id uuid, agency_id uuid)
          language sql stable security definer set search_path = public, pg_temp as $$
          select routing_plan.id, routing_plan.agency_id from routing_plan where look_at is not null
          order by look_at, id limit how_many
        $$;
        revoke execute on function plans_to_follow from public;
        grant execute on function plans_to_follow to referralnet_worker;
    """)


def _offered_by_the_worker() -> None:
    op.execute(f"""
        create or replace function acting_parties(source uuid, target uuid) returns text[] language sql stable as $$
          select case
            when session_user = 'referralnet_worker' then
              case when acting_agency() = source then array['clock', 'system', 'survivor', 'source'] else '{{}}' end
            when acting_case_agency() = source then
              case when acting_has_role('coordinator') then array['source', 'survivor'] else array['survivor'] end
            when acting_case_agency() = target and acting_has_role('intake') then array['target']
            else '{{}}'
          end
        $$;
        -- For the source the worker sends what a coordinator has planned, and does nothing else.
        create function keep_worker_to_plan() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          if exists (select from referral_transition where from_status = old.status and event = new.last_event
                and party = 'source')
              and (new.last_event <> 'send' or not exists (select from routing_choice where referral_id = new.id)) then
            raise exception 'this step belongs to the source' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        create trigger worker_by_plan before update on referral for each row
          when (session_user = 'referralnet_worker') execute function keep_worker_to_plan();

        create policy worker_offer on referral for insert to referralnet_worker
          with check (source_agency_id = (select acting_agency()));
        grant insert, update (requested_at, answer_due_at) on referral to referralnet_worker;
        -- What was asked without identity has no release, until one names the service that accepted.
        alter table survivor_referral alter column release_id drop not null;
        grant insert on survivor_referral to referralnet_worker;

        -- As before, but that what the program sends by a plan is its coordinator's: otherwise the target, who reads
        -- the history, would know from it that it was not the first who was asked (C6).
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
            perform directory_free_unit(old.held_capacity_id);
          end if;
          return null;
        end
        $$;

        -- That it is over, 0017 lets it say already.
        create policy ask_target on task for insert to referralnet_worker
          with check (subject_kind = 'referral' and kind = 'answer_referral' and detail = '{{}}'
            and done_at is null and done_by is null and exists (
              select from referral where referral.id = subject_id and status = 'requested'
                and source_agency_id = (select acting_agency()) and target_agency_id = task.agency_id));
    """)


def _disclosed_by_the_worker() -> None:
    op.execute("""
        alter policy custodian_read on disclosure to referralnet_app, referralnet_worker;
        alter policy custodian_make on disclosure to referralnet_app, referralnet_worker;
        alter policy for_own_referral on disclosure to referralnet_app, referralnet_worker;
        alter policy custodian_make on disclosure_item to referralnet_app, referralnet_worker;
        grant select, insert on disclosure to referralnet_worker;
        grant insert on disclosure_item to referralnet_worker;
        -- Of those asked together, the one that accepted is told of her, and no other, whatever release there is.
        create policy to_who_accepted on disclosure as restrictive for insert to referralnet_app, referralnet_worker
          with check (not exists (
              select from routing_choice join routing_plan on routing_plan.id = routing_choice.plan_id
              where routing_choice.referral_id = disclosure.referral_id and routing_plan.mode = 'together')
            or exists (select from referral where referral.id = disclosure.referral_id
              and referral.status in ('accepted', 'in_progress', 'cancellation_requested')));
    """)
