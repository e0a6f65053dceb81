"""What happens while nobody answers: instants that are written when a referral is sent, and go when it is answered."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# What stands on worklists while the answer is awaited, beside the waiting task itself.
LADDER_TASKS = "('answer_reminder', 'answer_late_for_admin', 'answer_nearly_due')"


def upgrade() -> None:
    _steps()
    _written_and_taken_away()
    _told_by_the_worker()
    _what_waits_already()


def _steps() -> None:
    op.execute("""
        -- As referrals/policy.py has it: the share of the time to answer after which each step is due. A test compares.
        create function answer_ladder() returns table (step text, share double precision) language sql immutable
          set search_path = public, pg_temp as $$
          values ('remind_intake', 0.25), ('alert_admin', 0.5), ('alert_source', 0.875), ('expire', 1.0)
        $$;

        -- A row is something still to be done: it is deleted in the transaction that does it.
        create table ladder_step (
          referral_id uuid not null references referral (id),
          step text not null check (step in ('remind_intake', 'alert_admin', 'alert_source', 'expire')),
          due_at timestamptz not null,
          primary key (referral_id, step)
        );
        create index ladder_step_due_at_idx on ladder_step (due_at);
        alter table ladder_step enable row level security;
        alter table ladder_step force row level security;
        -- Ids and instants: the worker looks what is due, and takes a step in the source's custody alone.
        create policy worker_read on ladder_step for select to referralnet_worker using (true);
        create policy worker_take on ladder_step for delete to referralnet_worker
          using (exists (select from referral where referral.id = referral_id
            and referral.source_agency_id = (select acting_agency())));
        grant select, delete on ladder_step to referralnet_worker;
        create policy kept_by_trigger on ladder_step to referralnet_owner using (pg_trigger_depth() > 0);
    """)


def _written_and_taken_away() -> None:
    op.execute(f"""
        -- Security definer: neither party may write or see the instants, and whoever answers closes what stands on the
        -- other's list. Elapsed seconds and not days: a day of an interval is longer or shorter when clocks change.
        create function keep_ladder() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          if old.status = 'requested' then
            delete from ladder_step where referral_id = new.id;
            update task set done_at = new.changed_at, done_by = acting_member()
            where subject_kind = 'referral' and subject_id = new.id and done_at is null
              and kind in {LADDER_TASKS};
          end if;
          if new.status = 'requested' then
            insert into ladder_step (referral_id, step, due_at)
            select new.id, step, case when share = 1 then new.answer_due_at else new.requested_at
              + make_interval(secs => share * extract(epoch from new.answer_due_at - new.requested_at)) end
            from answer_ladder();
          end if;
          return null;
        end
        $$;
        revoke execute on function keep_ladder from public;
        create trigger keep_ladder after update on referral for each row
          when (new.status is distinct from old.status and 'requested' in (old.status, new.status))
          execute function keep_ladder();
    """)


def _told_by_the_worker() -> None:
    op.execute(f"""
        create policy warn_target on task for insert to referralnet_worker
          with check (subject_kind = 'referral' and kind in {LADDER_TASKS} and detail = '{{}}'
            and done_at is null and done_by is null and exists (
              select from referral where referral.id = subject_id and status = 'requested'
                and source_agency_id = (select acting_agency()) and target_agency_id = task.agency_id));
        -- An admin of the target is told that an answer is late: an id, and nothing of the need. It is off the lists of
        -- intake, which has its own reminder.
        alter policy alarm_read on task
          using (kind not in ('reveals_capped', 'answer_late_for_admin') or (select acting_has_role('agency_admin')));
        -- She closes it although she may not see its referral. Only closed: such a row meets no unique key, so that
        -- nothing is learnt by writing one.
        do $$
        declare
          written text;
        begin
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            '(kind = ''answer_late_for_admin'' and done_at is not null)', written);
        end
        $$;
        alter policy admins_alarms on task
          using (agency_id = (select acting_agency()) and kind in ('reveals_capped', 'answer_late_for_admin')
            and exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles)));
        alter policy admins_close on task
          using (agency_id = (select acting_agency()) and kind in ('reveals_capped', 'answer_late_for_admin')
            and exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles)));
    """)


def _what_waits_already() -> None:
    # Row security holds for the owner too, and there is no actor here: it is lifted for this one statement.
    op.execute("""
        alter table referral no force row level security;
        alter table ladder_step no force row level security;
        insert into ladder_step (referral_id, step, due_at)
        select id, step, case when share = 1 then answer_due_at else requested_at
          + make_interval(secs => share * extract(epoch from answer_due_at - requested_at)) end
        from referral, answer_ladder() where status = 'requested';
        alter table referral force row level security;
        alter table ladder_step force row level security;
    """)
