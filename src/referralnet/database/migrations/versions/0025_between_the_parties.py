"""What the two parties do beside the steps: who has it, notes, a warm handoff, referring on, calls, waiting lists."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _who_has_it()
    _warm_handoff()
    _notes()
    _referred_on()
    _calls()
    _waiting_list()
    _within_reach()


def _who_has_it() -> None:
    # A row for each side, because neither party learns of the other's people.
    op.execute("""
        alter table member add unique (agency_id, id);
        create table referral_assignee (
          referral_id uuid not null references referral (id),
          agency_id uuid not null references agency (id),
          member_id uuid not null,
          assigned_by uuid not null references member (id),
          assigned_at timestamptz not null,
          primary key (referral_id, agency_id),
          foreign key (agency_id, member_id) references member (agency_id, id)
        );
        create index referral_assignee_member_id_idx on referral_assignee (member_id);
        alter table referral_assignee enable row level security;
        alter table referral_assignee force row level security;
        create policy own_agency on referral_assignee to referralnet_app
          using (agency_id = (select acting_case_agency()))
          with check (agency_id = (select acting_case_agency()) and assigned_by = (select acting_member())
            and exists (select from referral where referral.id = referral_id));
        grant select, insert, update (member_id, assigned_by, assigned_at) on referral_assignee to referralnet_app;
    """)


def _warm_handoff() -> None:
    op.execute("""
        create table warm_handoff (
          referral_id uuid not null references referral (id),
          agency_id uuid not null references agency (id),
          kind text not null check (kind in ('between_staff', 'with_survivor')),
          confirmed_at timestamptz not null,
          primary key (referral_id, agency_id)
        );
        alter table warm_handoff enable row level security;
        alter table warm_handoff force row level security;
        create policy party_read on warm_handoff for select to referralnet_app
          using (exists (select from referral where referral.id = referral_id));
        -- Each confirms for itself, once, while the target has taken it on.
        create policy party_confirm on warm_handoff for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and exists (
            select from referral where referral.id = referral_id
              and referral.status in ('accepted', 'in_progress')
              and acting_parties(source_agency_id, target_agency_id) && array['source', 'target']));
        grant select, insert on warm_handoff to referralnet_app;
    """)


def _notes() -> None:
    op.execute("""
        create table referral_note (
          id uuid primary key,
          referral_id uuid not null references referral (id),
          release_id uuid not null references release (id),
          data_key_id uuid not null references keystore.data_key (id),
          author_agency_id uuid not null references agency (id),
          body_sealed bytea not null check (octet_length(body_sealed) <= 16384),
          written_at timestamptz not null
        );
        create index referral_note_referral_id_idx on referral_note (referral_id, written_at);
        alter table referral_note enable row level security;
        alter table referral_note force row level security;
        -- Whoever is shown the disclosure under a release that lives: the target's intake, once it has accepted.
        create policy target_read on referral_note for select to referralnet_app
          using (exists (select from disclosure where disclosure.referral_id = referral_note.referral_id
            and disclosure.release_id = referral_note.release_id
            and disclosure.recipient_agency_id = (select acting_case_agency())));
        -- Her custodian's coordinator; a police or prosecution source reads its own alone (R5).
        create policy source_read on referral_note for select to referralnet_app
          using ((select acting_has_role('coordinator')) and exists (
              select from referral where referral.id = referral_id
                and referral.source_agency_id = (select acting_case_agency())
                and (referral_note.author_agency_id = referral.source_agency_id
                  or referral.source_agency_kind not in ('law_enforcement', 'prosecution')))
            and exists (select from release where release.id = release_id and is_live(release)));
        create policy party_write on referral_note for insert to referralnet_app
          with check (author_agency_id = (select acting_case_agency())
            and exists (select from disclosure where disclosure.referral_id = referral_note.referral_id
              and disclosure.release_id = referral_note.release_id
              and disclosure.data_key_id = referral_note.data_key_id)
            and exists (select from referral where referral.id = referral_id
              and referral.status in ('accepted', 'in_progress', 'cancellation_requested')
              and (acting_parties(source_agency_id, target_agency_id) && array['source']
                  and exists (select from release where release.id = release_id and is_live(release))
                or acting_parties(source_agency_id, target_agency_id) && array['target']
                  and referral.source_agency_kind not in ('law_enforcement', 'prosecution'))));
        grant select, insert on referral_note to referralnet_app;
    """)


def _referred_on() -> None:
    # In the custody of the agency that refers on: the id of the first referral would tell the third agency, and the
    # first, that they speak of one person (C5).
    op.execute("""
        create table onward_referral (
          referral_id uuid primary key references referral (id),
          agency_id uuid not null references agency (id),
          part_of uuid not null references referral (id)
        );
        create index onward_referral_part_of_idx on onward_referral (part_of);
        alter table onward_referral enable row level security;
        alter table onward_referral force row level security;
        create policy custodian_all on onward_referral to referralnet_app
          using (agency_id = (select acting_case_agency()))
          with check (agency_id = (select acting_case_agency())
            and exists (select from referral where referral.id = referral_id
              and referral.source_agency_id = onward_referral.agency_id)
            and exists (select from referral where referral.id = part_of
              and referral.target_agency_id = onward_referral.agency_id
              and referral.status in ('accepted', 'in_progress')));
        grant select, insert on onward_referral to referralnet_app;
    """)


def _calls() -> None:
    op.execute("""
        alter table handoff add unique (agency_id, id);
        create table handoff_call (
          id uuid primary key,
          agency_id uuid not null,
          handoff_id uuid not null,
          made_by uuid not null references member (id),
          called_at timestamptz not null,
          answer text not null check (answer in ('nobody_reached', 'will_call_back', 'takes_her', 'waiting_list',
            'declined')),
          reason text check (reason in ('no_capacity', 'not_eligible', 'outside_service_area', 'could_not_contact',
            'conflict_of_interest', 'needs_additional_assessment', 'duplicate', 'survivor_declined')),
          foreign key (agency_id, handoff_id) references handoff (agency_id, id),
          check ((reason is not null) = (answer = 'declined'))
        );
        create index handoff_call_handoff_id_idx on handoff_call (handoff_id, called_at);
        alter table handoff_call enable row level security;
        alter table handoff_call force row level security;
        create policy custodian_all on handoff_call to referralnet_app
          using (agency_id = (select acting_case_agency()))
          with check (agency_id = (select acting_case_agency()) and made_by = (select acting_member()));
        grant select, insert on handoff_call to referralnet_app;
    """)


def _waiting_list() -> None:
    op.execute("""
        create index referral_waiting_idx on referral (service_at_location_id, changed_at) where status = 'on_hold';

        create policy waiting_read on referral for select to referralnet_owner using (pg_trigger_depth() > 0);
        create policy offer_free_unit on task for insert to referralnet_owner with check (pg_trigger_depth() > 0);
        -- Security definer: a unit is freed by whoever ends a referral, and only its keeper may see who waits for it.
        -- Each unit that is free again is one task about whoever waits longest; nobody is accepted by it.
        create function offer_free_unit() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into task (agency_id, kind, subject_kind, subject_id, opened_at)
          select referral.target_agency_id, 'offer_free_unit', 'referral', referral.id, now()
          from referral join service_at_location on service_at_location.id = referral.service_at_location_id
          where service_at_location.service_id = new.service_id and referral.status = 'on_hold'
            and not exists (select from task where task.subject_id = referral.id and task.kind = 'offer_free_unit'
              and task.done_at is null)
          order by referral.changed_at, referral.id limit new.available - old.available
          on conflict do nothing;
          return null;
        end
        $$;
        revoke execute on function offer_free_unit from public;
        create trigger offer_free_unit after update of available on service_capacity for each row
          when (new.available > old.available) execute function offer_free_unit();
    """)


def _within_reach() -> None:
    # As in 0021: whoever she has blocked reads and writes nothing of hers, in these tables either (C12).
    seen = "exists (select from referral where referral.id = {table}.referral_id)"
    for table in ("referral_assignee", "warm_handoff", "referral_note", "onward_referral"):
        op.execute(f"""
            create policy within_reach on {table} as restrictive to referralnet_app
              using (referral_id not in (select acting_blocked_referrals())) with check ({seen.format(table=table)})
        """)
    op.execute("""
        create policy within_reach on handoff_call as restrictive to referralnet_app
          using (exists (select from handoff where handoff.id = handoff_call.handoff_id));
        -- As in 0021, and about a handoff.
        alter policy within_reach on task with check (case subject_kind
          when 'referral' then exists (select from referral where referral.id = task.subject_id)
          when 'survivor' then exists (select from survivor where survivor.id = task.subject_id)
          when 'release' then exists (select from release where release.id = task.subject_id)
          when 'need' then exists (select from need where need.id = task.subject_id)
          when 'contact_plan' then exists (select from contact_plan where contact_plan.id = task.subject_id)
          when 'text_message' then exists (select from text_message where text_message.id = task.subject_id)
          when 'appointment' then exists (select from appointment where appointment.id = task.subject_id)
          when 'routing_plan' then exists (select from routing_plan where routing_plan.id = task.subject_id)
          when 'disclosure' then exists (select from disclosure where disclosure.id = task.subject_id)
          when 'member' then exists (select from member where member.id = task.subject_id)
          when 'handoff' then exists (select from handoff where handoff.id = task.subject_id)
          else false end);
    """)
