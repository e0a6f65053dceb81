"""The directory: HSDS 3.1 records by package, one search row per service at a location, and who may read which row."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FROM_PACKAGE = """
    id uuid primary key,
    package text not null,
    source_id text not null,
    gone_at timestamptz,"""

# Rows that hang on a place. Two columns repeat what is true of the place, so that a policy judges a row without a join.
AT_A_PLACE = """
    confidential boolean not null default false,
    agency_id uuid references agency (id),"""

RECORDS = f"""
create table taxonomy ({FROM_PACKAGE}
    name text not null,
    description text,
    uri text,
    version text
);
create table taxonomy_term ({FROM_PACKAGE}
    code text,
    name text not null,
    description text,
    parent_id uuid references taxonomy_term (id),
    taxonomy text,
    language text,
    taxonomy_id uuid references taxonomy (id),
    term_uri text
);
create table organization ({FROM_PACKAGE}
    name text not null,
    alternate_name text,
    description text,
    email text,
    website text,
    tax_status text,
    tax_id text,
    year_incorporated numeric,
    legal_status text,
    logo text,
    uri text,
    parent_organization_id uuid references organization (id),
    agency_id uuid references agency (id)
);
create table program ({FROM_PACKAGE}
    organization_id uuid not null references organization (id),
    name text not null,
    alternate_name text,
    description text
);
create table service ({FROM_PACKAGE}
    organization_id uuid not null references organization (id),
    program_id uuid references program (id),
    name text not null,
    alternate_name text,
    description text,
    url text,
    email text,
    status text not null,
    interpretation_services text,
    application_process text,
    fees_description text, wait_time text, fees text, accreditations text,
    eligibility_description text,
    minimum_age numeric, maximum_age numeric,
    assured_date date, assurer_email text,
    licenses text, alert text,
    last_modified timestamptz
);
create table location ({FROM_PACKAGE}{AT_A_PLACE}
    location_type text not null,
    url text,
    organization_id uuid references organization (id),
    name text,
    alternate_name text,
    description text,
    transportation text,
    latitude double precision,
    longitude double precision,
    external_identifier text,
    external_identifier_type text
);
create table service_at_location ({FROM_PACKAGE}
    service_id uuid not null references service (id),
    location_id uuid not null references location (id),
    description text
);
create table address ({FROM_PACKAGE}{AT_A_PLACE}
    location_id uuid not null references location (id),
    attention text,
    address_1 text, address_2 text, city text, region text,
    state_province text, postal_code text, country text,
    address_type text
);
create table contact ({FROM_PACKAGE}{AT_A_PLACE}
    organization_id uuid references organization (id),
    service_id uuid references service (id),
    service_at_location_id uuid references service_at_location (id),
    location_id uuid references location (id),
    name text,
    title text, department text, email text
);
create table phone ({FROM_PACKAGE}{AT_A_PLACE}
    location_id uuid references location (id),
    service_id uuid references service (id),
    organization_id uuid references organization (id),
    contact_id uuid references contact (id),
    service_at_location_id uuid references service_at_location (id),
    number text not null,
    extension text,
    type text,
    description text
);
create table schedule ({FROM_PACKAGE}{AT_A_PLACE}
    service_id uuid references service (id),
    location_id uuid references location (id),
    service_at_location_id uuid references service_at_location (id),
    valid_from date, valid_to date, dtstart date,
    timezone numeric, until date, count numeric, wkst text, freq text, interval numeric,
    byday text, byweekno text, bymonthday text, byyearday text,
    description text,
    opens_at text, closes_at text,
    schedule_link text,
    attending_type text,
    notes text
);
create table language ({FROM_PACKAGE}{AT_A_PLACE}
    service_id uuid references service (id),
    location_id uuid references location (id),
    phone_id uuid references phone (id),
    name text,
    code text,
    note text
);
create table service_area ({FROM_PACKAGE}{AT_A_PLACE}
    service_id uuid references service (id),
    service_at_location_id uuid references service_at_location (id),
    name text,
    description text,
    extent text,
    extent_type text,
    uri text
);
create table accessibility ({FROM_PACKAGE}{AT_A_PLACE}
    location_id uuid not null references location (id),
    description text,
    details text,
    url text
);
create table attribute ({FROM_PACKAGE}{AT_A_PLACE}
    link_id uuid not null,
    taxonomy_term_id uuid not null references taxonomy_term (id),
    link_type text,
    link_entity text not null,
    value text,
    label text
);
create table cost_option ({FROM_PACKAGE}
    service_id uuid not null references service (id),
    valid_from date,
    valid_to date,
    option text,
    currency text, amount numeric, amount_description text
);
create table required_document ({FROM_PACKAGE}
    service_id uuid not null references service (id),
    document text,
    uri text
);
create table url ({FROM_PACKAGE}
    label text,
    url text not null,
    organization_id uuid references organization (id),
    service_id uuid references service (id)
);
create table unit ({FROM_PACKAGE}
    name text not null,
    scheme text,
    identifier text,
    uri text
);
create table service_capacity ({FROM_PACKAGE}
    service_id uuid not null references service (id),
    unit_id uuid not null references unit (id),
    available integer not null,
    maximum integer,
    description text,
    updated timestamptz not null,
    held integer not null default 0,
    agency_id uuid references agency (id),
    constraint service_capacity_available_check check (available >= 0),
    constraint service_capacity_held_check check (held >= 0)
);
"""

SEARCH = """
create table directory_import (
    id uuid primary key,
    package text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    counts jsonb not null
);
create table directory_entry (
    service_at_location_id uuid primary key references service_at_location (id),
    service_id uuid not null references service (id),
    organization_id uuid not null references organization (id),
    agency_id uuid references agency (id),
    package text not null,
    confidential boolean not null,
    service_name text not null,
    organization_name text not null,
    words tsvector not null,
    categories text[] not null,
    cells text[] not null,
    languages text[] not null,
    counties text[] not null,
    area text,
    latitude double precision,
    longitude double precision,
    minimum_age numeric,
    maximum_age numeric,
    takes_children boolean,
    interpretation boolean not null,
    place_note text,
    constraint directory_entry_confidential_has_no_point_check check (
        not confidential or (
            latitude is null and longitude is null and place_note is null
            and array_to_string(cells, ' ') !~ '(^| )point:'
        )
    )
);
create index directory_entry_search_idx on directory_entry using gin (words, categories, cells);
create index on directory_entry (service_id);
create index on directory_entry (organization_id);
create index on taxonomy_term (code);
create index on attribute (link_id);
create index on attribute (taxonomy_term_id);
"""

# Members search through this view and not the table: a condition on words or arrays is not leakproof, so behind a
# policy of the table PostgreSQL judges every row and uses no index (33 ms against 2 ms at 95,000 rows, tried).
# Nothing in an entry is confidential, so that a query without an actor has nothing to gain from looking early.
LISTING = """
alter table directory_entry enable row level security;
alter table directory_entry force row level security;
create policy directory_entry_owner on directory_entry to referralnet_owner using (true) with check (true);
create view directory_listing as
    select * from directory_entry
     where (select acting_agency()) is not null or session_user = 'referralnet_worker';
grant select on directory_listing to referralnet_app, referralnet_worker;
"""

# Accepting is in the hands of the agency that owns the bed, but a referral also ends by the sender or by the survivor:
# the end of the referral gives the unit back, by a trigger, and nobody can call this. The count never passes what was
# held.
FREE_UNIT = """
create function directory_free_unit(capacity uuid) returns boolean
    language sql volatile security definer set search_path = public, pg_temp as $$
    with freed as (
        update service_capacity
           set held = held - 1, available = least(available + 1, coalesce(maximum, available + 1))
         where id = capacity and held > 0
        returning id
    )
    select exists (select from freed)
$$;
revoke all on function directory_free_unit(uuid) from public;
"""

REFERENCES = {
    "taxonomy_term": ["parent_id", "taxonomy_id"],
    "organization": ["parent_organization_id", "agency_id"],
    "program": ["organization_id"],
    "service": ["organization_id", "program_id"],
    "location": ["organization_id"],
    "service_at_location": ["service_id", "location_id"],
    "address": ["location_id"],
    "contact": ["organization_id", "service_id", "service_at_location_id", "location_id"],
    "phone": ["location_id", "service_id", "organization_id", "contact_id", "service_at_location_id"],
    "schedule": ["service_id", "location_id", "service_at_location_id"],
    "language": ["service_id", "location_id", "phone_id"],
    "service_area": ["service_id", "service_at_location_id"],
    "accessibility": ["location_id"],
    "cost_option": ["service_id"],
    "required_document": ["service_id"],
    "url": ["organization_id", "service_id"],
    "service_capacity": ["service_id", "unit_id"],
}
OPEN_TABLES = (
    "taxonomy", "taxonomy_term", "organization", "program", "service", "cost_option", "required_document",
    "url", "unit", "service_capacity", "directory_import",
)  # fmt: skip
PLACED_TABLES = (
    "location", "address", "contact", "phone", "schedule", "language", "service_area", "accessibility", "attribute",
)  # fmt: skip
RECORD_TABLES = (*OPEN_TABLES[:-1], "service_at_location", *PLACED_TABLES)


def protect(table: str, readable: str) -> None:
    """Row security by which members see `readable` rows, the worker likewise, and an import (owner) every row."""
    op.execute(f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy {table}_owner on {table} to referralnet_owner using (true) with check (true);
        create policy {table}_member on {table} for select to referralnet_app
            using ((select acting_agency()) is not null and {readable});
        create policy {table}_worker on {table} for select to referralnet_worker using ({readable});
    """)


def upgrade() -> None:
    op.execute(RECORDS)
    op.execute(SEARCH)
    for table in RECORD_TABLES:
        op.execute(f"alter table {table} add unique (package, source_id)")
    for table, columns in REFERENCES.items():
        for column in columns:
            op.execute(f"create index on {table} ({column})")
    for table in OPEN_TABLES:
        protect(table, "true")
        op.execute(f"grant select on {table} to referralnet_app, referralnet_worker")
    for table in PLACED_TABLES:
        protect(table, "(not confidential or agency_id = (select acting_agency()))")
        op.execute(f"grant select on {table} to referralnet_app, referralnet_worker")
    protect("service_at_location", "true")
    # Its description may say where the place is: members read the copy that is kept for public places (place_note).
    op.execute("""
        grant select (id, package, source_id, gone_at, service_id, location_id)
            on service_at_location to referralnet_app, referralnet_worker
    """)
    op.execute("""
        grant update (available, held, updated) on service_capacity to referralnet_app;
        create policy service_capacity_count on service_capacity for update to referralnet_app
            using (
                agency_id = (select acting_agency())
                and ((select acting_has_role('intake')) or (select acting_has_role('agency_admin')))
            )
            with check (agency_id = (select acting_agency()));
    """)
    op.execute(LISTING)
    op.execute(FREE_UNIT)
