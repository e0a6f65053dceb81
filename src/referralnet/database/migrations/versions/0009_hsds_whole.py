"""The rest of HSDS 3.1, so that a package loses nothing, and what an import changed, so that it can be taken back."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FROM_PACKAGE = """
    id uuid primary key,
    package text not null,
    source_id text not null,
    gone_at timestamptz,"""

# What was changed at a hidden place is as hidden as the place: a row of `metadata` carries its marks (0003).
RECORDS = f"""
create table organization_identifier ({FROM_PACKAGE}
    organization_id uuid not null references organization (id),
    identifier_scheme text,
    identifier_type text not null,
    identifier text not null,
    unique (package, source_id)
);
create table funding ({FROM_PACKAGE}
    organization_id uuid references organization (id),
    service_id uuid references service (id),
    source text,
    unique (package, source_id)
);
create table meta_table_description ({FROM_PACKAGE}
    name text,
    language text,
    character_set text,
    unique (package, source_id)
);
create table metadata ({FROM_PACKAGE}
    confidential boolean not null default false,
    agency_id uuid references agency (id),
    resource_id uuid not null,
    resource_type text not null,
    last_action_date date not null,
    last_action_type text not null,
    field_name text not null,
    previous_value text,
    replacement_value text,
    updated_by text not null,
    unique (package, source_id)
);
create index on organization_identifier (organization_id);
create index on funding (organization_id);
create index on funding (service_id);
create index on metadata (resource_id);
alter table required_document alter service_id drop not null;
"""

# Before-images hold hidden addresses: no role but the owner reads them, and they go with the package's next import.
IMPORTS = """
alter table directory_import add first boolean not null default false, add undone_at timestamptz;
create table directory_change (
    import_id uuid not null references directory_import (id) on delete cascade,
    table_name text not null,
    row_id uuid not null,
    before jsonb,
    after_digest text not null,
    primary key (import_id, table_name, row_id)
);
alter table directory_change enable row level security;
alter table directory_change force row level security;
create policy directory_change_owner on directory_change to referralnet_owner using (true) with check (true);
"""

READABLE = {
    "organization_identifier": "true",
    "funding": "true",
    "meta_table_description": "true",
    "metadata": "(not confidential or agency_id = (select acting_agency()))",
}


def upgrade() -> None:
    op.execute(RECORDS)
    op.execute(IMPORTS)
    for table, readable in READABLE.items():
        op.execute(f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy {table}_owner on {table} to referralnet_owner using (true) with check (true);
            create policy {table}_member on {table} for select to referralnet_app
                using ((select acting_agency()) is not null and {readable});
            create policy {table}_worker on {table} for select to referralnet_worker using ({readable});
            grant select on {table} to referralnet_app, referralnet_worker;
        """)
