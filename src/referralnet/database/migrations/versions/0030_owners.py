"""Every open referral is one owner's task: what breaks that is listed, and no waiting task is closed by hand."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _violations()
    _closed_by_its_step_alone()
    _alarm()


def _violations() -> None:
    # With its caller's rights, one custody at a time: each open referral waits for one agency, so that all custodies
    # together are the whole network, and no function has to look past row security.
    op.execute("""
        -- Whose task an open state is, and who is told of an end: as referrals/policy.py has it; a test compares.
        create function waits_for() returns table (status text, party text, kind text) language sql immutable
          set search_path = public, pg_temp as $$
          values ('draft', 'source', 'send_referral'), ('requested', 'target', 'answer_referral'),
            ('on_hold', 'target', 'decide_waitlisted_referral'), ('accepted', 'target', 'arrange_service'),
            ('in_progress', 'target', 'complete_referral'),
            ('cancellation_requested', 'target', 'confirm_cancellation')
        $$;
        create function tells_of_end() returns table (event text, party text, kind text) language sql immutable
          set search_path = public, pg_temp as $$
          values ('reject', 'source', 'choose_next_service'), ('expire', 'source', 'choose_next_service'),
            ('withdraw', 'target', 'referral_is_over'), ('filled', 'target', 'referral_is_over'),
            ('consent_withdrawn', 'target', 'referral_is_over'), ('mark_entered_in_error', 'target', 'referral_is_over')
        $$;

        create function referrals_without_one_owner(instant timestamptz)
          returns table (subject_kind text, subject_id uuid, problem text) language sql stable
          set search_path = public, pg_temp as $$
          with acting (agency_id) as materialized (select acting_agency())
          select 'referral', referral.id, 'is nobody''s task'
          from referral join waits_for() as waits on waits.status = referral.status, acting
          where case waits.party when 'source' then source_agency_id else target_agency_id end = acting.agency_id
            and not exists (select from task where task.agency_id = acting.agency_id and task.kind = waits.kind
              and task.subject_id = referral.id and task.done_at is null)
          union all
          select 'referral', task.subject_id, 'is a task of somebody whom it does not wait for'
          from task join waits_for() as waits on waits.kind = task.kind, acting
          where task.agency_id = acting.agency_id and task.done_at is null
            and not exists (select from referral where referral.id = task.subject_id and referral.status = waits.status
              and case waits.party when 'source' then source_agency_id else target_agency_id end = acting.agency_id)
          union all
          -- Within the days that a daily look cannot miss; a target was never told of a draft.
          select 'referral', referral.id, 'has ended and its party was not told'
          from referral join tells_of_end() as tells on tells.event = referral.last_event, acting
          where ended_at > instant - interval '7 days' and requested_at is not null
            and case tells.party when 'source' then source_agency_id else target_agency_id end = acting.agency_id
            and not exists (select from task where task.agency_id = acting.agency_id and task.kind = tells.kind
              and task.subject_id = referral.id)
          union all
          -- A plan is a service's that was asked, a person's, or the worker's, which has it for moments.
          select 'routing_plan', routing_plan.id, case when look_at is not null then 'was left by the worker'
            else 'is nobody''s task' end
          from routing_plan, acting
          where routing_plan.agency_id = acting.agency_id and routing_plan.status <> 'closed'
            and case when look_at is not null then look_at < instant - interval '10 minutes'
              when routing_plan.status = 'waiting' then not exists (select from task
                where task.agency_id = acting.agency_id and task.kind = 'choose_next_service'
                  and task.subject_id = routing_plan.id and task.done_at is null)
              else not exists (select from routing_choice join referral on referral.id = routing_choice.referral_id
                where routing_choice.plan_id = routing_plan.id and referral.ended_at is null) end
        $$;
        revoke execute on function referrals_without_one_owner from public;
        grant execute on function referrals_without_one_owner to referralnet_worker;
        create index task_subject_id_idx on task (subject_id);
    """)


def _closed_by_its_step_alone() -> None:
    op.execute("""
        -- A task that ends with a step: a person takes the step, and does not tick the task off.
        create function ends_with_its_step(wanted_kind text, wanted_subject_id uuid) returns boolean
          language sql stable set search_path = public, pg_temp as $$
          select wanted_kind in (select kind from waits_for()) or wanted_kind = 'choose_next_service' and exists (
            select from routing_plan where routing_plan.id = wanted_subject_id and routing_plan.status = 'waiting')
        $$;
        create policy ends_with_its_step on task as restrictive for update to referralnet_app
          using (agency_id = (select acting_agency()))
          with check (done_at is null or not ends_with_its_step(kind, subject_id));
    """)


def _alarm() -> None:
    op.execute("""
        alter policy admins_alarms on task using (agency_id = (select acting_agency())
          and kind in ('reveals_capped', 'answer_late_for_admin', 'referral_without_owner')
          and exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles)));
        alter policy admins_close on task using (agency_id = (select acting_agency())
          and kind in ('reveals_capped', 'answer_late_for_admin', 'referral_without_owner')
          and exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles)));
        -- As in 0029: an admin closes what she may not look into.
        do $$
        declare
          written text;
        begin
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            '(kind = ''referral_without_owner'' and done_at is not null)', written);
        end
        $$;
    """)
