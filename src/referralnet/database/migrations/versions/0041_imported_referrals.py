"""Which rows of an agency's own list have been imported, by a hash of its own number: twice changes nothing."""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table imported_referral (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          -- Of the agency's own number and of what the row said, each under a key of the keyring's (C5).
          own_id_lookup bytea not null check (octet_length(own_id_lookup) = 32),
          content_lookup bytea not null check (octet_length(content_lookup) = 32),
          imported_by uuid not null references member (id),
          imported_at timestamptz not null,
          unique (agency_id, own_id_lookup),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade
        );
        create index imported_referral_survivor_id_idx on imported_referral (survivor_id);
        alter table imported_referral enable row level security;
        alter table imported_referral force row level security;
        create policy custodian_read on imported_referral for select to referralnet_app
          using (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator')));
        create policy coordinator_imports on imported_referral for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))
            and imported_by = (select acting_member()));
        create policy within_reach on imported_referral as restrictive to referralnet_app
          using (survivor_id not in (select acting_blocked_survivors()))
          with check (exists (select from survivor where survivor.id = imported_referral.survivor_id));
        grant select, insert on imported_referral to referralnet_app;
    """)
