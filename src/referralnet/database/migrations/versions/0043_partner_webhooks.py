"""Webhooks: an agency's own systems are told of each step of its referrals, by a row written with the step itself."""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

OWN = "agency_id = (select acting_agency()) and (select acting_has_role('agency_admin'))"


def upgrade() -> None:
    _endpoints()
    _deliveries()
    _policies()
    _judged()
    _written_with_the_step()
    _alarm()


def _endpoints() -> None:
    op.execute("""
        create table webhook (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          url text not null check (url ~ '^https?://' and length(url) <= 500),
          kinds text[] not null check (cardinality(kinds) > 0 and kinds <@ '{referral.changed,appointment.set,'
            'appointment.moved,appointment.cancelled}'),
          created_by uuid not null references member (id),
          created_at timestamptz not null,
          failing_since timestamptz,
          disabled_at timestamptz,
          disabled_because text check (disabled_because in ('by_admin', 'failing', 'gone')),
          unique (agency_id, id),
          check ((disabled_at is null) = (disabled_because is null))
        );
        -- Apart, so that whoever rotates a secret need not be able to read one.
        create table webhook_secret (
          id uuid primary key,
          agency_id uuid not null,
          webhook_id uuid not null,
          sealed bytea not null,
          made_at timestamptz not null,
          ends_at timestamptz,
          foreign key (agency_id, webhook_id) references webhook (agency_id, id)
        );
        create unique index webhook_secret_in_use_key on webhook_secret (webhook_id) where ends_at is null;
    """)


def _deliveries() -> None:
    op.execute("""
        create table webhook_delivery (
          id uuid primary key default gen_random_uuid(),
          agency_id uuid not null,
          webhook_id uuid not null,
          referral_id uuid not null references referral (id) on delete cascade,
          kind text not null,
          sequence integer not null,
          status text not null,
          business_status text not null,
          role text not null check (role in ('source', 'target')),
          occurred_at timestamptz not null,
          -- held: its endpoint was turned off when it happened; replaying lets it go.
          state text not null check (state in ('waiting', 'claimed', 'delivered', 'held', 'dead')),
          due_at timestamptz not null,
          attempts integer not null default 0,
          fence integer not null default 0,
          lease_until timestamptz,
          answer_status integer,
          problem text,
          settled_at timestamptz,
          unique (webhook_id, referral_id, sequence, kind),
          foreign key (agency_id, webhook_id) references webhook (agency_id, id),
          check ((lease_until is null) = (state <> 'claimed'))
        );
        create index webhook_delivery_due_idx on webhook_delivery (due_at) where state in ('waiting', 'claimed');
        create index webhook_delivery_webhook_id_idx on webhook_delivery (webhook_id, occurred_at desc, id desc);
        create index webhook_delivery_referral_id_idx on webhook_delivery (referral_id);
        create trigger wake_worker after insert on webhook_delivery for each row execute function wake_worker();
    """)


def _policies() -> None:
    for table in ("webhook", "webhook_secret", "webhook_delivery"):
        op.execute(f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy admins_own on {table} to referralnet_app using ({OWN});
            create policy custody on {table} to referralnet_worker using (agency_id = (select acting_agency()));
        """)
    op.execute("""
        create policy dispatch_read on webhook_delivery for select to referralnet_worker
          using ((select acting_agency()) is null);
        create policy dispatch_forget on webhook_delivery for delete to referralnet_worker
          using ((select acting_agency()) is null);
        -- What an admin may know of a case is that something happened; of whom she is blocked from, not even that.
        create policy within_reach on webhook_delivery as restrictive to referralnet_app
          using (referral_id not in (select acting_blocked_referrals()));
        grant select, insert, update (url, kinds, failing_since, disabled_at, disabled_because) on webhook
          to referralnet_app;
        grant select (id, agency_id, webhook_id, made_at, ends_at), insert, update (ends_at) on webhook_secret
          to referralnet_app;
        -- Which referral it was about is for the agency's systems, and its people who work on cases.
        grant select (id, agency_id, webhook_id, kind, occurred_at, state, due_at, attempts, fence, answer_status,
          problem, settled_at), update (state, due_at, attempts, fence, lease_until, problem) on webhook_delivery
          to referralnet_app;
        grant select, update (failing_since, disabled_at, disabled_because) on webhook to referralnet_worker;
        grant select on webhook_secret to referralnet_worker;
        grant select, update (state, due_at, attempts, fence, lease_until, answer_status, problem, settled_at), delete
          on webhook_delivery to referralnet_worker;
    """)


def _judged() -> None:
    op.execute("""
        -- Whether she has blocked the agency, or anybody who works there: its systems are read by all of them (C12).
        -- Security definer: the blocked must not see the block, nor the worker in one custody that of another.
        create function webhook_blocked(wanted_referral_id uuid, wanted_agency_id uuid) returns boolean
          language sql stable security definer set search_path = public, pg_temp as $$
          select exists (
            select from survivor_referral
              join survivor_block on survivor_block.survivor_id = survivor_referral.survivor_id
            where survivor_referral.referral_id = wanted_referral_id and survivor_block.lifted_at is null
              and (survivor_block.blocked_agency_id = wanted_agency_id or exists (select from member
                where member.id = survivor_block.blocked_member_id and member.agency_id = wanted_agency_id)))
        $$;
        revoke execute on function webhook_blocked from public;
        grant execute on function webhook_blocked to referralnet_worker;
    """)
    for table in ("survivor_block", "survivor_referral"):
        op.execute(f"""
            create policy webhook_judged on {table} for select to referralnet_owner
              using (session_user = 'referralnet_worker' or pg_trigger_depth() > 0);
        """)


def _written_with_the_step() -> None:
    # Security definer: whoever takes the step sees neither party's endpoints.
    op.execute("""
        create function tell_webhooks() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into webhook_delivery (agency_id, webhook_id, referral_id, kind, sequence, status, business_status,
            role, occurred_at, state, due_at)
          select webhook.agency_id, webhook.id, new.id, told.kind, old.version, new.status, new.business_status,
            case webhook.agency_id when new.target_agency_id then 'target' else 'source' end, new.changed_at,
            case when webhook.disabled_at is null then 'waiting' else 'held' end, clock_timestamp()
          from webhook, unnest(array['referral.changed', case new.last_event when 'schedule' then 'appointment.set'
            when 'reschedule' then 'appointment.moved' when 'appointment_cancelled' then 'appointment.cancelled' end])
            as told (kind)
          where told.kind = any (webhook.kinds)
            -- A target has never seen a draft.
            and (webhook.agency_id = new.source_agency_id
              or webhook.agency_id = new.target_agency_id and new.requested_at is not null)
            and not webhook_blocked(new.id, webhook.agency_id);
          return null;
        end
        $$;
        revoke execute on function tell_webhooks() from public;
        create trigger tell_webhooks after update on referral for each row
          when (new.version is distinct from old.version) execute function tell_webhooks();
        create index webhook_agency_id_idx on webhook (agency_id);
        create policy told_with_step on webhook for select to referralnet_owner using (pg_trigger_depth() > 0);
        create policy told_with_step on webhook_delivery for insert to referralnet_owner
          with check (pg_trigger_depth() > 0);
    """)


def _alarm() -> None:
    # Wherever an alarm of the admins is named, this one is as well: each policy as it stands, with one kind more.
    op.execute("""
        do $$
        declare
          policy record;
        begin
          for policy in select policyname, qual from pg_policies where schemaname = 'public' and tablename = 'task'
              and policyname in ('admins_alarms', 'admins_close', 'alarm_read') loop
            assert policy.qual like '%ANY (ARRAY[%' or policy.qual like '%ALL (ARRAY[%';
            execute format('alter policy %I on task using (%s)', policy.policyname,
              replace(policy.qual, '(ARRAY[', '(ARRAY[''webhook_failing''::text, '));
          end loop;
        end
        $$;
    """)
