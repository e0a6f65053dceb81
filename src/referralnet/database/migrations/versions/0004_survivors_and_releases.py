"""Survivors in one agency's custody, and the releases and sealed disclosures made for another."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CATEGORIES = "array['identity', 'contact', 'needs', 'safety', 'legal', 'immigration', 'medical']"


def upgrade() -> None:
    _survivors()
    _releases()
    _disclosures()


def _survivors() -> None:
    op.execute("""
        create table survivor (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          data_key_id uuid not null references keystore.data_key (id),
          given_name_sealed bytea not null,
          family_name_sealed bytea not null,
          date_of_birth_sealed bytea,
          safety_note_sealed bytea,
          created_by uuid not null references member (id),
          created_at timestamptz not null,
          -- What hangs on a survivor names her custodian too: foreign keys look past row security, and without the pair
          -- an agency could hang rows on another's survivor, or learn from the error that there is one.
          unique (agency_id, id)
        );
        create index survivor_agency_id_idx on survivor (agency_id, created_at);
        create table contact_plan (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          phone_sealed bytea not null,
          phone_lookup bytea not null,
          language text not null,
          time_zone text not null,
          safe_windows jsonb not null,
          sender_label text not null,
          code_phrase_sealed bytea,
          voicemail_ok boolean not null,
          texts_opted_in_at timestamptz,
          opt_in_method text check (opt_in_method in ('written', 'electronic', 'oral')),
          reconfirm_by date not null,
          paused_at timestamptz,
          paused_reason text check (paused_reason in ('stop', 'unsafe', 'consent_withdrawn', 'staff')),
          unique (agency_id, survivor_id),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id),
          check ((texts_opted_in_at is null) = (opt_in_method is null)),
          check ((paused_at is null) = (paused_reason is null))
        );
        create index contact_plan_survivor_id_idx on contact_plan (survivor_id);
        create index contact_plan_phone_lookup_idx on contact_plan (phone_lookup);
        create table need (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          service_type text not null,
          urgency text not null check (urgency in ('urgent', 'priority', 'routine')),
          region text not null,
          language text not null,
          household_size smallint not null check (household_size between 1 and 20),
          age_band text not null check (age_band in ('under_13', '13_17', '18_24', '25_59', '60_over')),
          accessibility text[] not null default '{}',
          immigration_sensitive boolean not null,
          created_at timestamptz not null,
          unique (agency_id, id),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id)
        );
        create index need_survivor_id_idx on need (survivor_id);
    """)
    for table in ("survivor", "contact_plan", "need"):
        op.execute(f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy custodian_all on {table} to referralnet_app, referralnet_worker
              using (agency_id = (select acting_case_agency()));
            grant select, insert, update on {table} to referralnet_app;
            grant select on {table} to referralnet_worker;
        """)
    # The worker pauses a plan when its number says STOP or unsafe, in each agency's custody in turn.
    op.execute("grant update (paused_at, paused_reason) on contact_plan to referralnet_worker")


def _releases() -> None:
    op.execute(f"""
        create table release (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          recipient_agency_id uuid not null references agency (id) check (recipient_agency_id <> agency_id),
          data_key_id uuid not null unique references keystore.data_key (id),
          purpose text not null check (purpose in ('shelter', 'legal', 'medical', 'immigration', 'benefits', 'safety')),
          categories text[] not null check (cardinality(categories) > 0 and categories <@ {CATEGORIES}),
          status text not null
            check (status in ('proposed', 'active', 'rejected', 'inactive', 'entered_in_error')),
          starts_at timestamptz not null,
          expires_at timestamptz not null,
          created_at timestamptz not null,
          unique (agency_id, id),
          -- 365 days in hours: a day of the session's own time zone may have 23 or 25 (C9).
          constraint release_term_is_bounded
            check (expires_at > starts_at and expires_at <= starts_at + interval '8760 hours')
        );
        create index release_recipient_idx on release (recipient_agency_id, expires_at);
        -- What names the survivor stays with the custodian: the recipient sees the row above, never this one (C5).
        create table survivor_release (
          release_id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          signer text not null check (signer in ('survivor', 'guardian')),
          method text not null check (method in ('written', 'electronic', 'witnessed')),
          form_version text not null,
          form_language text not null,
          form_hash bytea not null check (length(form_hash) = 32),
          recorded_by uuid not null references member (id),
          witnessed_by uuid references member (id),
          ended_at timestamptz,
          ended_via text check (ended_via in ('oral', 'written', 'text')),
          ended_recorded_by uuid references member (id),
          foreign key (agency_id, release_id) references release (agency_id, id),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id),
          check (method <> 'witnessed' or witnessed_by is not null),
          check ((ended_at is null) = (ended_via is null) and (ended_at is null) = (ended_recorded_by is null))
        );
        create index survivor_release_survivor_id_idx on survivor_release (survivor_id);

        create function is_live(candidate release) returns boolean language sql stable as $$
          select candidate.status = 'active' and candidate.starts_at <= statement_timestamp()
            and candidate.expires_at > statement_timestamp()
        $$;

        alter table release enable row level security;
        alter table release force row level security;
        alter table survivor_release enable row level security;
        alter table survivor_release force row level security;
        create policy custodian_all on release to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()));
        create policy custodian_all on survivor_release to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()));
        grant select, insert, update (status) on release to referralnet_app;
        grant select on release to referralnet_worker;
        grant select, insert, update (ended_at, ended_via, ended_recorded_by) on survivor_release to referralnet_app;
        grant select on survivor_release to referralnet_worker;
    """)
    _how_releases_end()
    _asked_by_the_recipient()


def _how_releases_end() -> None:
    # FHIR Consent's statuses, one way: what a survivor ended cannot be made active again, whoever speaks SQL.
    op.execute("""
        create function keep_release_to_its_course() returns trigger language plpgsql as $$
        begin
          if (tg_op = 'INSERT' and new.status not in ('proposed', 'active'))
              or (tg_op = 'UPDATE' and new.status <> old.status and (old.status, new.status) not in (
                ('proposed', 'active'), ('proposed', 'rejected'), ('proposed', 'entered_in_error'),
                ('active', 'inactive'), ('active', 'entered_in_error'))) then
            raise exception 'a release has no such step' using errcode = 'check_violation';
          end if;
          return new;
        end
        $$;
        create trigger keep_to_course before insert or update of status on release
          for each row execute function keep_release_to_its_course();
    """)


def _asked_by_the_recipient() -> None:
    # A recipient reads no row of release: that a survivor has named it is nothing it may know before it accepted.
    # It asks about a release it was given in a disclosure, through a function that sees what names its agency.
    op.execute("""
        create policy asked_by_recipient on release for select to referralnet_owner
          using (recipient_agency_id = (select acting_case_agency()));
        create function live_until(wanted_release_id uuid) returns timestamptz language sql stable security definer
          set search_path = public, pg_temp as $$
          select release.expires_at from release
          where release.id = wanted_release_id and release.recipient_agency_id = acting_case_agency()
            and is_live(release)
        $$;
        revoke execute on function live_until from public;
        grant execute on function live_until to referralnet_app;
    """)


def _disclosures() -> None:
    # The recipient's own policies follow in 0007, where there are referrals to be accepted.
    op.execute("""
        create table disclosure (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          recipient_agency_id uuid not null references agency (id),
          release_id uuid not null,
          -- The release's key, repeated so that the recipient may be given it without reading the release.
          data_key_id uuid not null references keystore.data_key (id),
          referral_id uuid not null,
          made_at timestamptz not null,
          unique (referral_id, release_id),
          foreign key (agency_id, release_id) references release (agency_id, id)
        );
        create index disclosure_data_key_id_idx on disclosure (data_key_id);
        create index disclosure_release_id_idx on disclosure (release_id);
        create table disclosure_item (
          disclosure_id uuid not null references disclosure (id),
          category text not null,
          sealed bytea not null,
          primary key (disclosure_id, category)
        );
        alter table disclosure enable row level security;
        alter table disclosure force row level security;
        alter table disclosure_item enable row level security;
        alter table disclosure_item force row level security;
        create policy custodian_read on disclosure for select to referralnet_app
          using (agency_id = (select acting_case_agency()));
        create policy custodian_make on disclosure for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and exists (
            select from release where release.id = release_id and release.agency_id = disclosure.agency_id
              and release.recipient_agency_id = disclosure.recipient_agency_id
              and release.data_key_id = disclosure.data_key_id and is_live(release)));
        create policy custodian_make on disclosure_item for insert to referralnet_app
          with check (exists (
            select from disclosure join release on release.id = disclosure.release_id
            where disclosure.id = disclosure_id and disclosure.agency_id = (select acting_case_agency())
              and category = any (release.categories) and is_live(release)));
        grant select, insert on disclosure, disclosure_item to referralnet_app;
    """)
