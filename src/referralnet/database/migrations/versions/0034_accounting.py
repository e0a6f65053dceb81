"""Her accounting: what the trail says was told of her, beside what the tables say, for her custodian's coordinators."""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

# What was done, to what, when, by whom to whom, under which release, in which categories; never which person did it.
ROW = """
  returns table (act text, subject_id uuid, at timestamptz, by_agency_id uuid, to_agency_id uuid, release_id uuid,
    categories text[], why text)
  language plpgsql stable security definer set search_path = public, pg_temp as
"""
# Row security holds for the functions' owner as well: one custody, and its coordinators.
CUSTODY = "agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))"


def upgrade() -> None:
    _what_the_functions_see()
    _in_the_trail()
    _in_the_tables()
    _alarm()


def _what_the_functions_see() -> None:
    for table in ("survivor_release", "release", "disclosure", "two_person_act"):
        op.execute(f"create policy accounted_read on {table} for select to referralnet_owner using ({CUSTODY})")
    for table in ("disclosure_item", "disclosure_reading"):
        op.execute(f"""
            create policy accounted_read on {table} for select to referralnet_owner
              using (exists (select from disclosure where disclosure.id = disclosure_id and disclosure.{CUSTODY}))
        """)
    op.execute(f"""
        create policy accounted_read on referral_note for select to referralnet_owner
          using (exists (select from release where release.id = release_id and release.{CUSTODY}));
        create index audit_event_release_idx on audit_event ((detail ->> 'release'))
          where action in ('disclosure_made', 'disclosure_read', 'referral_noted', 'referral_notes_read');
    """)


def _in_the_trail() -> None:
    # Security definer: auditors alone read the trail, each of their own agency; a reading stands in the reader's.
    op.execute(f"""
        create function coded_categories(detail jsonb) returns text[] language sql immutable
          set search_path = public, pg_temp return (
          select coalesce(array_agg(code order by code), '{{}}')
          from jsonb_array_elements_text(coalesce(detail -> 'categories', '[]')) code);

        create function told_in_trail(wanted_survivor_id uuid) {ROW} $$
        declare
          custodian uuid := acting_case_agency();
        begin
          if custodian is null or not acting_has_role('coordinator')
              or wanted_survivor_id in (select acting_blocked_survivors()) then
            return;
          end if;
          return query
            select event.action, event.subject_id, event.at, event.agency_id,
              case when event.action = 'disclosure_made' then (event.detail ->> 'recipient')::uuid
                when event.action in ('disclosure_read', 'referral_notes_read') then event.agency_id
                when event.agency_id = custodian then release.recipient_agency_id else custodian end,
              release.id, coded_categories(event.detail), event.detail ->> 'because'
            from survivor_release join release on release.id = survivor_release.release_id
              join audit_event event on event.detail ->> 'release' = release.id::text
            where survivor_release.survivor_id = wanted_survivor_id
              and event.action in ('disclosure_made', 'disclosure_read', 'referral_noted', 'referral_notes_read')
              -- Her custodian read what it was told, and nobody else learned anything.
              and not (event.action = 'referral_notes_read' and event.agency_id = custodian)
            union all
            select confirmed.action, mandate.subject_id, confirmed.at, confirmed.agency_id, null, null,
              coded_categories(mandate.detail), mandate.detail ->> 'mandate'
            from two_person_act act join audit_event confirmed on confirmed.subject_id = act.id
              left join audit_event mandate on mandate.subject_id = (confirmed.detail ->> 'of')::uuid
                and mandate.action = 'mandate_recorded' and mandate.agency_id = custodian
            where act.survivor_id = wanted_survivor_id and act.kind = 'compelled_disclosure'
              and confirmed.action = 'act_confirmed' and confirmed.agency_id = custodian
            union all
            select handed.action, (handed.detail ->> 'handoff')::uuid, handed.at, handed.agency_id, null, null, '{{}}',
              null
            from audit_event handed
            where handed.subject_id = wanted_survivor_id and handed.action = 'handoff_made'
              and handed.agency_id = custodian
            union all
            select called.action, called.subject_id, called.at, called.agency_id, null, null, '{{}}',
              called.detail ->> 'answer'
            from audit_event handed join audit_event called
              on called.subject_id = (handed.detail ->> 'handoff')::uuid and called.action = 'call_logged'
            where handed.subject_id = wanted_survivor_id and handed.action = 'handoff_made'
              and handed.agency_id = custodian and called.agency_id = custodian
              and called.detail ->> 'answer' <> 'nobody_reached';
        end
        $$;
        revoke execute on function told_in_trail from public;
        grant execute on function told_in_trail to referralnet_app;
    """)


def _in_the_tables() -> None:
    # Security definer: who read a disclosure is the reader's agency's own affair, and a note is out of sight once its
    # release has ended. What was told otherwise the custodian's coordinators see by themselves.
    op.execute(f"""
        create function read_and_noted_in_tables(wanted_survivor_id uuid) {ROW} $$
        begin
          if wanted_survivor_id in (select acting_blocked_survivors()) then
            return;
          end if;
          return query
            select 'disclosure_read', disclosure.id, reading.read_at, reading.agency_id, reading.agency_id,
              disclosure.release_id, array(select category from disclosure_item
                where disclosure_item.disclosure_id = disclosure.id order by category), null::text
            from survivor_release join disclosure on disclosure.release_id = survivor_release.release_id
              join disclosure_reading reading on reading.disclosure_id = disclosure.id
            where survivor_release.survivor_id = wanted_survivor_id
            union all
            select 'referral_noted', note.referral_id, note.written_at, note.author_agency_id,
              case when note.author_agency_id = release.agency_id then release.recipient_agency_id
                else release.agency_id end, release.id, '{{}}', null
            from survivor_release join release on release.id = survivor_release.release_id
              join referral_note note on note.release_id = release.id
            where survivor_release.survivor_id = wanted_survivor_id;
        end
        $$;
        revoke execute on function read_and_noted_in_tables from public;
        grant execute on function read_and_noted_in_tables to referralnet_app;
    """)


def _alarm() -> None:
    kinds = "('reveals_capped', 'answer_late_for_admin', 'referral_without_owner', 'accounting_disagrees')"
    admin = "exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles))"
    op.execute(f"""
        alter policy admins_alarms on task using (agency_id = (select acting_agency()) and kind in {kinds} and {admin});
        alter policy admins_close on task using (agency_id = (select acting_agency()) and kind in {kinds} and {admin});
        -- As in 0029: an admin closes what she may not look into.
        do $body$
        declare
          written text;
        begin
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            '(kind = ''accounting_disagrees'' and done_at is not null)', written);
        end
        $body$;
    """)
