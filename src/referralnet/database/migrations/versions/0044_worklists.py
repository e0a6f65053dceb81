"""Worklists: when each task is due, who of an agency has it, and who may have it at all."""

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _kinds()
    _due_and_had()
    _given_to_whom()
    _what_stands_there_already()
    _read_in_order()


def _kinds() -> None:
    op.execute("""
        -- As identity/task_kinds.py has it; a test compares.
        create function task_kinds() returns table (kind text, may text[], within_hours integer) language sql immutable
          set search_path = public, pg_temp as $$
          values ('survivor_unsafe', '{coordinator}'::text[], 1), ('survivor_may_end_consent', '{coordinator}', 1),
            ('survivor_asks_for_call', '{coordinator}', 4), ('survivor_wrote', '{coordinator}', 4),
            ('survivor_stopped_texts', '{coordinator}', 24), ('survivor_asks_for_texts', '{coordinator}', 24),
            ('survivor_not_texted', '{coordinator}', 4), ('confirmation_too_late', '{coordinator}', 4),
            ('text_unsettled', '{coordinator}', 4), ('reconfirm_contact', '{coordinator}', 72),
            ('consent_ended_by_text', '{coordinator}', 24), ('release_ran_out', '{coordinator}', 24),
            ('notify_of_compelled_disclosure', '{coordinator}', 24), ('send_referral', '{coordinator}', 24),
            ('choose_next_service', '{coordinator}', 8), ('share_with_accepted', '{coordinator}', 4),
            ('answer_nearly_due', '{coordinator}', 4), ('follow_up_missed_visit', '{coordinator}', 8),
            ('call_service_again', '{coordinator}', 8), ('answer_referral', '{intake}', 24),
            ('answer_reminder', '{intake}', 24), ('decide_waitlisted_referral', '{intake}', 72),
            ('offer_free_unit', '{intake}', 4), ('arrange_service', '{intake}', 48),
            ('complete_referral', '{intake}', 336), ('confirm_cancellation', '{intake}', 24),
            ('read_updated_disclosure', '{intake}', 24), ('referral_is_over', '{intake}', 24),
            ('answer_late_for_admin', '{agency_admin}', 4), ('reveals_capped', '{agency_admin}', 4),
            ('referral_without_owner', '{agency_admin,coordinator,intake}', 4),
            ('key_outlived_release', '{coordinator}', 4), ('survivor_confirms_number', '{coordinator}', 24),
            ('signer_marked_as_abuser', '{coordinator}', 8), ('arrange_travel', '{coordinator}', 24),
            ('accounting_disagrees', '{agency_admin,coordinator}', 24), ('webhook_failing', '{agency_admin}', 24),
            ('text_not_erased', '{coordinator}', 24)
        $$;

        -- The one formula of the order (docs/worklists.md): elapsed hours, fewer where what is asked for is urgent; and
        -- where an answer is waited for, the instant by which it is due.
        create function task_due_at(wanted_kind text, wanted_subject_kind text, wanted_subject_id uuid,
            opened_at timestamptz) returns timestamptz language sql stable set search_path = public, pg_temp as $$
          with asked as (
            select referral.urgency, case when wanted_kind in ('answer_referral', 'answer_reminder',
              'answer_nearly_due', 'answer_late_for_admin') then referral.answer_due_at end as answer_due_at
            from referral where wanted_subject_kind = 'referral' and referral.id = wanted_subject_id
            union all
            select need.urgency, null from routing_plan join need on need.id = routing_plan.need_id
            where wanted_subject_kind = 'routing_plan' and routing_plan.id = wanted_subject_id
          )
          select coalesce((select answer_due_at from asked), opened_at + make_interval(secs => 3600
            * coalesce((select within_hours from task_kinds() where kind = wanted_kind), 24)
            / case (select urgency from asked) when 'urgent' then 4.0 when 'priority' then 2.0 else 1.0 end))
        $$;

        -- Training is for whoever opens cases; an alarm of the agency opens none.
        create function may_do_task(wanted_member_id uuid, wanted_agency_id uuid, wanted_kind text) returns boolean
          language sql stable set search_path = public, pg_temp as $$
          select exists (
            select from member, unnest(coalesce((select may from task_kinds() where kind = wanted_kind),
              '{coordinator,intake}')) as role
            where member.id = wanted_member_id and member.agency_id = wanted_agency_id and member.disabled_at is null
              and role = any (member.roles) and (role = 'agency_admin' or member.trained_until >= current_date))
        $$;
        revoke execute on function task_kinds, task_due_at, may_do_task from public;
    """)


def _due_and_had() -> None:
    op.execute("""
        alter table task add due_at timestamptz, add assignee_id uuid references member (id);
        grant update (assignee_id) on task to referralnet_app;

        -- Security definer: whoever opens a task on the other party's list sees neither the need's urgency in the
        -- worker's role nor who has the referral there.
        create function place_task() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          new.due_at := task_due_at(new.kind, new.subject_kind, new.subject_id, new.opened_at);
          new.assignee_id := (select member_id from referral_assignee
            where new.subject_kind = 'referral' and referral_id = new.subject_id and agency_id = new.agency_id
              and may_do_task(member_id, new.agency_id, new.kind));
          return new;
        end
        $$;
        revoke execute on function place_task() from public;
        create trigger place_task before insert on task for each row execute function place_task();
        create policy task_is_placed on referral_assignee for select to referralnet_owner
          using (pg_trigger_depth() > 0);
        create policy task_is_placed on routing_plan for select to referralnet_owner using (pg_trigger_depth() > 0);
        create policy task_is_placed on need for select to referralnet_owner using (pg_trigger_depth() > 0);
    """)


def _given_to_whom() -> None:
    op.execute("""
        -- Security definer: it holds the member's row, so that whoever is disabled meanwhile is seen by one of the two.
        create function give_task_to_who_may() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          perform from member where member.id = new.assignee_id for share;
          if not may_do_task(new.assignee_id, new.agency_id, new.kind) then
            raise exception 'this member may not do this task' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        revoke execute on function give_task_to_who_may() from public;
        create trigger give_task_to_who_may before update of assignee_id on task for each row
          when (new.assignee_id is not null and new.assignee_id is distinct from old.assignee_id)
          execute function give_task_to_who_may();

        -- Security definer: a member is changed by the operator, who sees no task.
        create function give_tasks_back() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          update task set assignee_id = null
          where assignee_id = new.id and done_at is null and not may_do_task(new.id, agency_id, kind);
          return null;
        end
        $$;
        revoke execute on function give_tasks_back() from public;
        create trigger give_tasks_back after update of disabled_at, roles, trained_until, agency_id on member
          for each row execute function give_tasks_back();

        -- Security definer: some of them, as an alarm of the agency, the assigning member may not see. Whoever has a
        -- referral has what waits about it.
        create function assign_tasks_of_referral() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          update task set assignee_id = new.member_id
          where subject_kind = 'referral' and subject_id = new.referral_id and agency_id = new.agency_id
            and done_at is null and may_do_task(new.member_id, agency_id, kind);
          return null;
        end
        $$;
        revoke execute on function assign_tasks_of_referral() from public;
        create trigger assign_tasks_of_referral after insert or update of member_id on referral_assignee
          for each row execute function assign_tasks_of_referral();
    """)


def _what_stands_there_already() -> None:
    # Row security holds for the owner too, and there is no actor here: it is lifted for this one statement.
    op.execute("""
        alter table task no force row level security;
        alter table referral no force row level security;
        alter table routing_plan no force row level security;
        alter table need no force row level security;
        update task set due_at = task_due_at(kind, subject_kind, subject_id, opened_at);
        alter table task alter due_at set not null;
        alter table task force row level security;
        alter table referral force row level security;
        alter table routing_plan force row level security;
        alter table need force row level security;
    """)


def _read_in_order() -> None:
    op.execute("""
        -- The permissive policies ask for the agency in two ways, which no index can follow. This one, asked in every
        -- case, lets each list be read in its order from the index.
        create policy own_lists on task as restrictive for select to referralnet_app
          using (agency_id = (select acting_agency()));
        drop index task_agency_id_opened_at_idx;
        create index task_worklist_idx on task (agency_id, due_at, id) where done_at is null;
        create index task_assignee_idx on task (assignee_id, due_at, id) where done_at is null;
    """)
