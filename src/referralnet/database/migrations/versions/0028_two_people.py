"""What takes two people: lifting a block, and a disclosure that the law compels (C10, C12)."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _compelled_disclosures()
    _acts()
    _judged_and_carried_out()
    _out_of_reach()


def _compelled_disclosures() -> None:
    op.execute("""
        create table compelled_disclosure (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          mandate text not null check (mandate in ('court_order', 'search_warrant', 'statute')),
          -- Free text may name her or somebody near her: sealed under her own key.
          authority_sealed bytea not null,
          reference_sealed bytea not null,
          recipient_sealed bytea not null,
          mandated_on date not null,
          categories text[] not null check (cardinality(categories) > 0 and categories <@ array['identity', 'contact',
            'needs', 'safety', 'legal', 'immigration', 'medical']),
          recorded_by uuid not null references member (id),
          recorded_at timestamptz not null,
          -- Written by the second person's word alone.
          told_at timestamptz,
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade
        );
        create index compelled_disclosure_survivor_id_idx on compelled_disclosure (survivor_id, recorded_at);
        alter table compelled_disclosure enable row level security;
        alter table compelled_disclosure force row level security;
        create policy custodian_read on compelled_disclosure for select to referralnet_app
          using (agency_id = (select acting_case_agency()));
        create policy coordinator_records on compelled_disclosure for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))
            and recorded_by = (select acting_member()) and told_at is null);
        grant select, insert on compelled_disclosure to referralnet_app;
    """)


def _acts() -> None:
    op.execute("""
        create table two_person_act (
          id uuid primary key,
          agency_id uuid not null,
          kind text not null check (kind in ('lift_block', 'compelled_disclosure')),
          survivor_id uuid not null,
          subject_id uuid not null,
          proposed_by uuid not null references member (id),
          proposed_at timestamptz not null,
          expires_at timestamptz not null
            check (expires_at > proposed_at and expires_at <= proposed_at + interval '72 hours'),
          decision text check (decision in ('confirmed', 'cancelled')),
          decided_by uuid references member (id),
          decided_at timestamptz,
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade,
          constraint act_is_decided_whole check ((decision is null) = (decided_by is null)
            and (decision is null) = (decided_at is null)),
          constraint act_takes_two check (decision is distinct from 'confirmed' or decided_by <> proposed_by)
        );
        create unique index two_person_act_open_key on two_person_act (agency_id, kind, subject_id)
          where decision is null;
        create index two_person_act_survivor_id_idx on two_person_act (survivor_id, proposed_at);
        alter table two_person_act enable row level security;
        alter table two_person_act force row level security;
        create policy coordinator_read on two_person_act for select to referralnet_app
          using (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator')));
        create policy coordinator_proposes on two_person_act for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))
            and proposed_by = (select acting_member()) and decision is null);
        create policy coordinator_decides on two_person_act for update to referralnet_app
          using (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator')))
          with check (decided_by = (select acting_member()));
        grant select, insert, update (decision, decided_by, decided_at) on two_person_act to referralnet_app;
    """)


def _judged_and_carried_out() -> None:
    op.execute("""
        create function judge_act() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          if old.decision is not null then
            raise exception 'it was decided' using errcode = 'insufficient_privilege';
          end if;
          if new.decision = 'confirmed' and (statement_timestamp() >= old.expires_at
              -- Whoever proposed it must be able to do so still.
              or not exists (select from member where id = old.proposed_by and agency_id = old.agency_id
                and disabled_at is null and 'coordinator' = any (roles))
              or exists (select from survivor_block where survivor_id = old.survivor_id and lifted_at is null
                and blocked_member_id = old.proposed_by)) then
            raise exception 'it can be confirmed no more' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        create trigger judge_act before update on two_person_act for each row execute function judge_act();

        -- Security definer: the second person's word alone lifts a block, or says that something was told.
        create function carry_out_act() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          if new.kind = 'lift_block' then
            update survivor_block set lifted_at = statement_timestamp()
            where id = new.subject_id and survivor_id = new.survivor_id and lifted_at is null;
          else
            update compelled_disclosure set told_at = statement_timestamp()
            where id = new.subject_id and survivor_id = new.survivor_id and told_at is null;
            -- 28 CFR 94.115(c)(1): reasonable attempts to notify her.
            insert into task (id, agency_id, kind, subject_kind, subject_id, opened_at)
            values (gen_random_uuid(), new.agency_id, 'notify_of_compelled_disclosure', 'compelled_disclosure',
              new.subject_id, statement_timestamp());
          end if;
          return null;
        end
        $$;
        revoke execute on function carry_out_act() from public;
        create trigger carry_out_act after update on two_person_act for each row
          when (new.decision = 'confirmed') execute function carry_out_act();
        create policy confirmed_read on survivor_block for select to referralnet_owner using (pg_trigger_depth() > 0);
        create policy confirmed_lift on survivor_block for update to referralnet_owner using (pg_trigger_depth() > 0);
        create policy confirmed_read on compelled_disclosure for select to referralnet_owner
          using (pg_trigger_depth() > 0);
        create policy confirmed_tell on compelled_disclosure for update to referralnet_owner
          using (pg_trigger_depth() > 0);
        create policy confirmed_notify on task for insert to referralnet_owner
          with check (pg_trigger_depth() > 0 and kind = 'notify_of_compelled_disclosure');
    """)


def _out_of_reach() -> None:
    hers = "survivor_id not in (select acting_blocked_survivors())"
    op.execute(f"""
        create policy within_reach on compelled_disclosure as restrictive to referralnet_app using ({hers})
          with check (exists (select from survivor where survivor.id = compelled_disclosure.survivor_id));
        create policy within_reach on two_person_act as restrictive to referralnet_app using ({hers})
          with check (exists (select from survivor where survivor.id = two_person_act.survivor_id)
            and case kind
              when 'lift_block' then exists (select from survivor_block where survivor_block.id = subject_id
                and survivor_block.survivor_id = two_person_act.survivor_id)
              else exists (select from compelled_disclosure where compelled_disclosure.id = subject_id
                and compelled_disclosure.survivor_id = two_person_act.survivor_id)
              end);
        create policy asked_for_the_blocked on compelled_disclosure for select to referralnet_owner
          using (survivor_id in (select acting_blocked_survivors()));
        create policy asked_for_the_blocked on two_person_act for select to referralnet_owner
          using (survivor_id in (select acting_blocked_survivors()));
        -- As before, and what takes two people.
        create or replace function acting_blocked_subjects() returns setof uuid
          language plpgsql stable rows 1 security definer set search_path = public, pg_temp as $$
        declare
          blocked uuid[] := array(select acting_blocked_survivors());
          referrals uuid[];
          releases uuid[];
        begin
          if cardinality(blocked) > 0 then
            referrals := array(select acting_blocked_referrals());
            releases := array(select acting_blocked_releases());
            return query
              select unnest(blocked || referrals || releases)
              union all select id from contact_plan where survivor_id = any (blocked)
              union all select id from need where survivor_id = any (blocked)
              union all select id from survivor_alias where survivor_id = any (blocked)
              union all select id from survivor_phone where survivor_id = any (blocked)
              union all select id from survivor_note where survivor_id = any (blocked)
              union all select id from survivor_likeness where survivor_id = any (blocked) or other_id = any (blocked)
              union all select id from handoff where survivor_id = any (blocked)
              union all select id from routing_plan where survivor_id = any (blocked)
              union all select id from compelled_disclosure where survivor_id = any (blocked)
              union all select id from two_person_act where survivor_id = any (blocked)
              union all select id from survivor_block where survivor_id = any (blocked)
              union all select id from text_message where survivor_id = any (blocked)
              union all select id from appointment where referral_id = any (referrals)
              union all select id from disclosure where release_id = any (releases)
              union all select id from task where subject_id = any (blocked || referrals || releases);
          end if;
        end
        $$;
    """)
