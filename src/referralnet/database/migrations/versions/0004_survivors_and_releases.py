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
          created_at timestamptz not null
        );
        create index survivor_agency_id_idx on survivor (agency_id, created_at);
        create table contact_plan (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          survivor_id uuid not null unique references survivor (id),
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
          check ((texts_opted_in_at is null) = (opt_in_method is null)),
          check ((paused_at is null) = (paused_reason is null))
        );
        create index contact_plan_phone_lookup_idx on contact_plan (phone_lookup);
        create table need (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          survivor_id uuid not null references survivor (id),
          service_type text not null,
          urgency text not null check (urgency in ('urgent', 'priority', 'routine')),
          region text not null,
          language text not null,
          household_size smallint not null check (household_size between 1 and 20),
          age_band text not null check (age_band in ('under_13', '13_17', '18_24', '25_59', '60_over')),
          accessibility text[] not null default '{}',
          immigration_sensitive boolean not null,
          created_at timestamptz not null
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
          check (expires_at > starts_at and expires_at <= starts_at + interval '366 days')
        );
        create index release_recipient_idx on release (recipient_agency_id, expires_at);
        -- What names the survivor stays with the custodian: the recipient sees the row above, never this one (C5).
        create table survivor_release (
          release_id uuid primary key references release (id),
          agency_id uuid not null references agency (id),
          survivor_id uuid not null references survivor (id),
          signer text not null check (signer in ('survivor', 'guardian')),
          method text not null check (method in ('written', 'electronic', 'witnessed')),
          form_version text not null,
          form_language text not null,
          form_hash bytea not null,
          recorded_by uuid not null references member (id),
          witnessed_by uuid references member (id),
          ended_at timestamptz,
          ended_via text check (ended_via in ('oral', 'written', 'text')),
          ended_recorded_by uuid references member (id)
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
        create policy recipient_read_live on release for select to referralnet_app
          using (recipient_agency_id = (select acting_case_agency()) and is_live(release));
        create policy custodian_all on survivor_release to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()));
        grant select, insert, update (status) on release to referralnet_app;
        grant select on release to referralnet_worker;
        grant select, insert, update (ended_at, ended_via, ended_recorded_by) on survivor_release to referralnet_app;
        grant select on survivor_release to referralnet_worker;
    """)


def _disclosures() -> None:
    # Readable by the recipient only under a live release; 0005 narrows it further to an accepted referral.
    op.execute("""
        create table disclosure (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          recipient_agency_id uuid not null references agency (id),
          release_id uuid not null references release (id),
          referral_id uuid not null,
          made_at timestamptz not null,
          unique (referral_id, release_id)
        );
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
              and release.recipient_agency_id = disclosure.recipient_agency_id and is_live(release)));
        create policy custodian_make on disclosure_item for insert to referralnet_app
          with check (exists (
            select from disclosure join release on release.id = disclosure.release_id
            where disclosure.id = disclosure_id and disclosure.agency_id = (select acting_case_agency())
              and category = any (release.categories) and is_live(release)));
        grant select, insert on disclosure, disclosure_item to referralnet_app;
    """)
