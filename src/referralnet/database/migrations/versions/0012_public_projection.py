"""The public projection: what anybody may read of the directory, as views, and the only way of a reader without a name.

Schema `publishing` says which rows are public, and which organizations have something to hide; no role but the owner
reads it. Schema `published` has one view per HSDS table, with the public rows and, of those, what may be told (D1, D2,
D4). Its views run with their owner's rights as barriers: row security of the tables themselves lets a reader without a
name through to nothing, so that what no view shows cannot be had.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WHO = """
create function acting_publicly() returns boolean language sql stable as $$
    select coalesce(current_setting('referralnet.public_reader', true), '') = 'yes'
$$;
-- A text that tells a street or a ZIP code of its organization's hidden places is not told.
create function public_text(told text, hidden text) returns text language sql immutable as $$
    select case when hidden is null or told !~* hidden then told end
$$;
create schema publishing;
create schema published;
grant usage on schema published to referralnet_app;
"""

# Which rows are public. What hangs on a row that is not public is not public either.
ROWS = """
create view publishing.organization as select id from organization where gone_at is null;
create view publishing.service as
    select service.id, service.organization_id from service
      join organization on organization.id = service.organization_id
     where service.gone_at is null and organization.gone_at is null;
create view publishing.location as
    select location.id, location.organization_id from location
     where not location.confidential and location.gone_at is null
       and (location.organization_id is null
            or exists (select from publishing.organization o where o.id = location.organization_id));
create view publishing.service_at_location as
    select at.id, at.service_id, at.location_id from service_at_location at
     where at.gone_at is null
       and exists (select from publishing.service s where s.id = at.service_id)
       and exists (select from publishing.location l where l.id = at.location_id);
create view publishing.taxonomy_term as
    select id, code from taxonomy_term where gone_at is null and code is distinct from 'confidential_location';
"""
WITH_OWN_ROWS = ("organization", "service", "location", "service_at_location", "taxonomy_term")

# A hidden service: one of its places is confidential, or it is marked itself.
HIDDEN_SERVICES = """
create view publishing.hidden_service as
    select at.service_id as id from service_at_location at join location on location.id = at.location_id
     where location.confidential
    union all
    select attribute.link_id from attribute join taxonomy_term on taxonomy_term.id = attribute.taxonomy_term_id
     where taxonomy_term.code = 'confidential_location' and attribute.link_entity in ('service', 'services')
       and attribute.gone_at is null;
"""

# Of a row: the organization it is of, by whatever it names.
SERVICE_OF = "coalesce(t.service_id, (select at.service_id from service_at_location at where at.id = {at}))"
OF_SERVICE = "(select s.organization_id from service s where s.id = {service})"
OF_PLACE = "(select l.organization_id from location l where l.id = {place})"
AT = "t.service_at_location_id"

PUBLIC_ROW = {
    "organization_id": "organization",
    "service_id": "service",
    "program_id": "program",
    "location_id": "location",
    "service_at_location_id": "service_at_location",
    "unit_id": "unit",
    "contact_id": "contact",
    "phone_id": "phone",
    "taxonomy_term_id": "taxonomy_term",
}
"""Column -> the table in `publishing` that must have the row it names."""

# A guarded organization: one of its places is confidential. `pattern` matches the streets and ZIP codes of those.
GUARDED = r"""
    cross join lateral (select {organization} as id) owner
    left join lateral (
        select count(*) > 0 as guarded,
               string_agg(regexp_replace(regexp_replace(btrim(street.told), '([^[:alnum:][:space:]])', '\\\1', 'g'),
                                         '\s+', '\\s+', 'g'), '|')
                   filter (where length(btrim(street.told)) >= 4) as pattern
          from (select l.id from location l where l.organization_id = owner.id and l.confidential
                union
                select l.id from service s join service_at_location at on at.service_id = s.id
                  join location l on l.id = at.location_id
                 where s.organization_id = owner.id and l.confidential) place
          left join address on address.location_id = place.id
          left join lateral (values (address.address_1), (address.postal_code)) street (told) on true
    ) g on true"""
HIDDEN = (
    "cross join lateral (select exists (select from publishing.hidden_service h where h.id = {service}) as it) hidden"
)

# Asked of a function, which is planned by itself and only when it is needed: written out in the views, these conditions
# take a tenth of a second to plan (tried).
ASKED = {"contact_id", "phone_id"}
IS_PUBLIC = """
create function publishing.is_public(kind text, wanted uuid) returns boolean
    language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
    case kind
        {cases}
        else return false;
    end case;
end $$;
"""

# A hidden service is known by county or state alone: what is finer, or is not one, is left out.
COARSE = r"""(coalesce(t.extent_type, 'county') = 'county' and t.extent ~* '^[^0-9,]+,\s*[a-z]{2}\s*$'
        or t.extent_type = 'state' and t.extent ~* '^\s*[a-z]{2}\s*$')"""

LINKED = (
    "organization", "service", "location", "service_at_location", "program", "phone", "contact", "address", "schedule",
    "language", "service_area", "accessibility", "cost_option", "required_document", "url", "unit", "service_capacity",
    "funding", "organization_identifier", "meta_table_description",
)  # fmt: skip


def told(*columns: str) -> list[str]:
    return [f"public_text(t.{column}, g.pattern) as {column}" for column in columns]


def kept(*columns: str) -> list[str]:
    return [f"t.{column}" for column in columns]


def withheld(*columns: str) -> list[str]:
    """Free text beside a hidden service: kept for its own network."""
    return [f"case when not hidden.it then public_text(t.{column}, g.pattern) end as {column}" for column in columns]


def tells(*rows: str) -> str:
    """Whether one of the rows holds a street or a ZIP code that is not told: words must not find it by them."""
    return f"case when g.pattern is null then false else concat({', '.join(rows)}) ~* g.pattern end as tells"


def publish(table: str, columns: list[str], *, joins: str = "", names: str = "", where: str = "true") -> None:
    """A view of the public rows of `table`. `names`: its references; the rows they name must be public."""
    conditions = []
    for name in names.split():
        named = f"exists (select from publishing.{PUBLIC_ROW[name]} named where named.id = t.{name})"
        if name in ASKED:
            named = f"publishing.is_public('{PUBLIC_ROW[name]}', t.{name})"
        conditions.append(f"(t.{name} is null or {named})")
    rows = f"from {table} t {joins} where t.gone_at is null and {' and '.join([*conditions, where])}"
    if table not in WITH_OWN_ROWS:
        op.execute(f"create view publishing.{table} as select t.id {rows}")
    op.execute(f"""
        create view published.{table} with (security_barrier) as
        select t.id, t.package, t.source_id, {", ".join([*kept(*names.split()), *columns])}
          {rows} and (select acting_publicly());
        grant select on published.{table} to referralnet_app;
    """)


def publish_vocabulary() -> None:
    publish("taxonomy", kept("name", "description", "uri", "version"))
    publish(
        "taxonomy_term",
        [
            *kept("code", "name", "description", "taxonomy", "language", "term_uri"),
            "(select p.id from publishing.taxonomy_term p where p.id = t.parent_id) as parent_id",
            "(select x.id from publishing.taxonomy x where x.id = t.taxonomy_id) as taxonomy_id",
        ],
        where="t.code is distinct from 'confidential_location'",
    )
    publish("unit", kept("name", "scheme", "identifier", "uri"))
    publish("meta_table_description", kept("name", "language", "character_set"))


def publish_organizations() -> None:
    own = GUARDED.format(organization="t.id")
    publish(
        "organization",
        [
            "coalesce(public_text(t.name, g.pattern), 'Name withheld') as name",
            *told(
                "alternate_name",
                "description",
                "email",
                "website",
                "tax_status",
                "tax_id",
                "legal_status",
                "logo",
                "uri",
            ),
            *kept("year_incorporated"),
            (
                "(select o.id from publishing.organization o where o.id = t.parent_organization_id)"
                " as parent_organization_id"
            ),
            tells("t"),
        ],
        joins=own,
    )
    by_organization = GUARDED.format(organization="t.organization_id")
    publish(
        "program",
        ["coalesce(public_text(t.name, g.pattern), 'Name withheld') as name", *told("alternate_name", "description")],
        joins=by_organization,
        names="organization_id",
    )
    publish(
        "organization_identifier",
        told("identifier_scheme", "identifier_type", "identifier"),
        joins=by_organization,
        names="organization_id",
        where="public_text(t.identifier || t.identifier_type, g.pattern) is not null",
    )


def publish_services() -> None:
    publish(
        "service",
        [
            "(select p.id from publishing.program p where p.id = t.program_id) as program_id",
            "coalesce(public_text(t.name, g.pattern), 'Name withheld') as name",
            *told(
                "alternate_name", "description", "url", "email", "interpretation_services", "application_process",
                "fees_description", "wait_time", "fees", "accreditations", "eligibility_description", "assurer_email",
                "licenses", "alert",
            ),
            *kept("status", "minimum_age", "maximum_age", "assured_date", "last_modified"),
            "hidden.it as hidden", tells("t", "(select o from organization o where o.id = t.organization_id)"),
        ],
        joins=f"{GUARDED.format(organization='t.organization_id')} {HIDDEN.format(service='t.id')}",
        names="organization_id",
    )  # fmt: skip
    by_service = (
        f"{GUARDED.format(organization=OF_SERVICE.format(service='t.service_id'))} "
        f"{HIDDEN.format(service='t.service_id')}"
    )
    publish(
        "cost_option",
        [*kept("valid_from", "valid_to", "currency", "amount"), *told("option", "amount_description")],
        joins=by_service,
        names="service_id",
    )
    publish("required_document", told("document", "uri"), joins=by_service, names="service_id")
    # A count that falls in the evening tells that somebody came to the house.
    publish(
        "service_capacity",
        [*kept("available", "maximum", "updated"), *told("description")],
        joins=by_service,
        names="service_id unit_id",
        where="not hidden.it",
    )
    either = f"coalesce(t.organization_id, {OF_SERVICE.format(service='t.service_id')})"
    of_either = f"{GUARDED.format(organization=either)} {HIDDEN.format(service='t.service_id')}"
    publish("funding", told("source"), joins=of_either, names="organization_id service_id")
    publish(
        "url",
        told("label", "url"),
        joins=of_either,
        names="organization_id service_id",
        where="public_text(t.url, g.pattern) is not null",
    )


def publish_places() -> None:
    own = GUARDED.format(organization="t.organization_id")
    publish(
        "location",
        [
            *kept("location_type", "latitude", "longitude", "external_identifier_type"),
            *told("url", "name", "alternate_name", "description", "transportation", "external_identifier"),
        ],
        joins=own,
        names="organization_id",
        where="not t.confidential",
    )
    by_service = GUARDED.format(organization=OF_SERVICE.format(service="t.service_id"))
    publish("service_at_location", told("description"), joins=by_service, names="service_id location_id")
    by_place = GUARDED.format(organization=OF_PLACE.format(place="t.location_id"))
    publish(
        "address",
        kept(
            "attention", "address_1", "address_2", "city", "region", "state_province", "postal_code", "country",
            "address_type",
        ),
        joins=by_place,
        names="location_id",
        where="not t.confidential and public_text(coalesce(t.address_1, ''), g.pattern) is not null",
    )  # fmt: skip
    publish(
        "accessibility",
        told("description", "details", "url"),
        joins=by_place,
        names="location_id",
        where="not t.confidential",
    )


def publish_ways_in() -> None:
    service = SERVICE_OF.format(at=AT)
    of_service = OF_SERVICE.format(service=service)
    place = OF_PLACE.format(place="t.location_id")
    of_any = f"coalesce(t.organization_id, {of_service}, {place})"
    # Who works at a house that hides is not told: of such an organization the front door is a telephone, not a name.
    publish(
        "contact",
        kept("name", "title", "department", "email"),
        joins=GUARDED.format(organization=of_any),
        names="organization_id service_id service_at_location_id location_id",
        where="not t.confidential and not g.guarded and not exists "
        f"(select from publishing.hidden_service h where h.id = {service})",
    )
    by_any = f"{GUARDED.format(organization=of_any)} {HIDDEN.format(service=service)}"
    publish(
        "phone",
        [*kept("number", "extension", "type"), *withheld("description")],
        joins=by_any,
        names="location_id service_id organization_id contact_id service_at_location_id",
        where="not t.confidential",
    )
    by_either = f"{GUARDED.format(organization=f'coalesce({of_service}, {place})')} {HIDDEN.format(service=service)}"
    publish(
        "schedule",
        [
            *kept(
                "valid_from", "valid_to", "dtstart", "timezone", "until", "count", "wkst", "freq", "interval", "byday",
                "byweekno", "bymonthday", "byyearday", "opens_at", "closes_at",
            ),
            *withheld("description", "schedule_link", "attending_type", "notes"),
        ],
        joins=by_either,
        names="service_id location_id service_at_location_id",
        where="not t.confidential",
    )  # fmt: skip
    spoken_at = f"coalesce({OF_SERVICE.format(service='t.service_id')}, {place})"
    publish(
        "language",
        [*kept("name", "code"), *withheld("note")],
        joins=f"{GUARDED.format(organization=spoken_at)} {HIDDEN.format(service='t.service_id')}",
        names="service_id location_id phone_id",
        where="not t.confidential",
    )
    publish(
        "service_area",
        [
            (
                "case when hidden.it then btrim(split_part(t.extent, ',', 1)) else public_text(t.name, g.pattern) end"
                " as name"
            ),
            *withheld("description", "uri"),
            *kept("extent", "extent_type"),
        ],
        joins=f"{GUARDED.format(organization=of_service)} {HIDDEN.format(service=service)}",
        names="service_id service_at_location_id",
        where=f"not t.confidential and (not hidden.it or {COARSE})",
    )


def publish_attributes() -> None:
    """An attribute is public when the row it hangs on is."""
    plural = {name: f"{name}s" for name in LINKED} | {"address": "addresses", "accessibility": "accessibilities"}
    names = ", ".join(f"('{table}', '{spelled}')" for table, more in plural.items() for spelled in {table, more})
    service = "case when entity.name = 'service' then t.link_id end"
    organization = f"""case entity.name when 'organization' then t.link_id
        when 'service' then {OF_SERVICE.format(service="t.link_id")}
        when 'location' then {OF_PLACE.format(place="t.link_id")} end"""
    publish(
        "attribute",
        [
            *kept("link_id", "link_type", "link_entity"),
            *withheld("value", "label"),
        ],
        joins=f"""
            left join lateral (select spelling.name from (values {names}) spelling (name, spelled)
                                where spelling.spelled = lower(t.link_entity) limit 1) entity on true
            {GUARDED.format(organization=organization)} {HIDDEN.format(service=service)}""",
        names="taxonomy_term_id",
        where="not t.confidential and publishing.is_public(entity.name, t.link_id)",
    )


# For looking up by words and by area: nothing in an entry is confidential, and a barrier would keep its index away.
ENTRY = """
create view published.entry as
    select service_at_location_id, service_id, organization_id, words, counties, cells, latitude, longitude
      from directory_entry where (select acting_publicly());
grant select on published.entry to referralnet_app;
"""


def upgrade() -> None:
    op.execute(WHO)
    op.execute(ROWS)
    op.execute(HIDDEN_SERVICES)
    cases = " ".join(
        f"when '{name}' then return exists (select from publishing.{name} named where named.id = wanted);"
        for name in LINKED
    )
    op.execute(IS_PUBLIC.format(cases=cases))
    publish_vocabulary()
    publish_organizations()
    publish_services()
    publish_places()
    publish_ways_in()
    publish_attributes()
    op.execute(ENTRY)
