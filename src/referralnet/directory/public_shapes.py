"""How HSDS 3.1 nests its objects, on one screen, and how each value is written as its JSON schemas want it.

Every table here is a view of schema `published`: what is confidential cannot be named in a statement made of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import DateTime

from referralnet.directory.columns import columns_of, table_of
from referralnet.directory.formats import FILES
from referralnet.directory.freshness import fresh_condition

PUBLIC_TABLES = tuple(table for table in FILES if table != "metadata")
"""All of HSDS but `metadata`: who changed what, and what stood there before, is the network's own."""

# Written even where blank, because the JSON schema requires them.
ALWAYS = {
    ("organization", "description"),
    ("program", "description"),
    ("taxonomy", "description"),
    ("taxonomy_term", "description"),
    *(("address", name) for name in ("address_1", "city", "state_province", "postal_code", "country")),
}
# Column -> (the values HSDS has, what stands for any other; None: nothing does).
CHOICES: dict[tuple[str, str], tuple[tuple[str, ...], str | None]] = {
    ("service", "status"): (("active", "inactive", "defunct", "temporarily closed"), "inactive"),
    ("location", "location_type"): (("physical", "postal", "virtual"), "physical"),
    ("address", "address_type"): (("physical", "postal", "virtual"), "physical"),
    ("schedule", "wkst"): (("MO", "TU", "WE", "TH", "FR", "SA", "SU"), None),
    ("schedule", "freq"): (("WEEKLY", "MONTHLY"), None),
}
WHOLE = "^(0|[1-9][0-9]{0,14})$"
"""An extension that is the same written as a number; HSDS has no other."""


def value_sql(table: str, column: str, alias: str, *, json: bool = True) -> str:
    """The column of row `alias` as HSDS writes it. In CSV an extension stays text, which a number cannot hold."""
    name = f"{alias}.{column}"
    if (table, column) in ALWAYS:
        return f"coalesce({name}, '')"
    if (table, column) in CHOICES:
        known, other = CHOICES[table, column]
        listed = ", ".join(f"'{value}'" for value in known)
        otherwise = f"'{other}'" if other else "null"
        return f"case when {name} in ({listed}) then {name} else {otherwise} end"
    if json and (table, column) == ("phone", "extension"):
        return f"case when {name} ~ '{WHOLE}' then {name}::numeric end"
    if json and (table, column) == ("phone", "number"):
        return f"{name} || case when {alias}.extension !~ '{WHOLE}' then ' ext. ' || {alias}.extension else '' end"
    if isinstance(table_of(table).columns[column].type, DateTime):
        return _instant_sql(name)
    return name


def _instant_sql(name: str) -> str:
    """In UTC with milliseconds, or microseconds where there are any: 2026-11-02T10:07:00.000Z."""
    digits = f"case when date_trunc('milliseconds', {name}) = {name} then 'MS' else 'US' end"
    return f"""to_char({name} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.' || {digits} || '"Z"')"""


@dataclass(frozen=True, slots=True)
class Child:
    """Something nested under `name`: where `many`, the rows whose `column` names the parent, else the row it names."""

    name: str
    shape: str
    column: str
    many: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """An HSDS object: a table's own columns, and what is nested in it."""

    table: str
    children: tuple[Child, ...] = ()


def _under(name: str, shape: str, column: str) -> Child:
    return Child(name, shape, column, many=True)


def _named(name: str, shape: str, column: str) -> Child:
    return Child(name, shape, column, many=False)


_ATTRIBUTES = _under("attributes", "attribute", "link_id")


def _plain(table: str, *children: Child) -> Shape:
    return Shape(table, (*children, _ATTRIBUTES))


def _common(column: str) -> tuple[Child, ...]:
    return (
        _under("contacts", "contact", column),
        _under("phones", "phone", column),
        _under("schedules", "schedule", column),
    )


_SERVICE = (
    _under("additional_urls", "url", "service_id"),
    *_common("service_id"),
    _under("service_areas", "service_area", "service_id"),
    _under("languages", "language", "service_id"),
    _under("funding", "funding", "service_id"),
    _under("cost_options", "cost_option", "service_id"),
    _named("program", "program", "program_id"),
    _under("required_documents", "required_document", "service_id"),
    _under("capacities", "service_capacity", "service_id"),
)
_AT_LOCATION = (
    *_common("service_at_location_id"),
    _under("service_areas", "service_area", "service_at_location_id"),
    _named("location", "location", "location_id"),
)
_ORGANIZATION = (
    _under("additional_websites", "url", "organization_id"),
    _under("funding", "funding", "organization_id"),
    _under("contacts", "contact", "organization_id"),
    _under("phones", "phone", "organization_id"),
    _under("programs", "program", "organization_id"),
    _under("organization_identifiers", "organization_identifier", "organization_id"),
)

SHAPES: dict[str, Shape] = {
    # What stands in lists: one-to-one alone.
    "organization_listed": Shape("organization"),
    "service_listed": Shape(
        "service",
        (_named("organization", "organization_listed", "organization_id"), _named("program", "program", "program_id")),
    ),
    "location_listed": Shape("location"),
    "service_at_location_listed": Shape(
        "service_at_location",
        (_named("location", "location_listed", "location_id"), _named("service", "service_listed", "service_id")),
    ),
    # An organization within a service is told without its other places, or each of 500 services would tell all 500.
    "organization_of_service": _plain("organization", *_ORGANIZATION),
    "service_of_organization": Shape("service"),
    "service_within": _plain("service", *_SERVICE, _under("service_at_locations", "place_of_service", "service_id")),
    "place_of_service": _plain("service_at_location", *_AT_LOCATION),
    "service_of_place": _plain(
        "service", *_SERVICE, _named("organization", "organization_of_service", "organization_id")
    ),
    "service": _plain(
        "service",
        *_SERVICE,
        _named("organization", "organization_of_service", "organization_id"),
        _under("service_at_locations", "place_of_service", "service_id"),
    ),
    "service_at_location": _plain(
        "service_at_location", *_AT_LOCATION, _named("service", "service_of_place", "service_id")
    ),
    "organization": _plain(
        "organization",
        *_ORGANIZATION,
        _under("locations", "location", "organization_id"),
        _under("services", "service_of_organization", "organization_id"),
    ),
    "organization_with_services": _plain(
        "organization",
        *_ORGANIZATION,
        _under("locations", "location", "organization_id"),
        _under("services", "service_within", "organization_id"),
    ),
    "location": _plain(
        "location",
        _under("languages", "language", "location_id"),
        _under("addresses", "address", "location_id"),
        _under("accessibility", "accessibility", "location_id"),
        *_common("location_id"),
    ),
    "contact": _plain("contact", _under("phones", "phone", "contact_id")),
    "phone": _plain("phone", _under("languages", "language", "phone_id")),
    "service_capacity": _plain("service_capacity", _named("unit", "unit", "unit_id")),
    "attribute": Shape("attribute", (_named("taxonomy_term", "taxonomy_term", "taxonomy_term_id"),)),
    "taxonomy_term": Shape("taxonomy_term", (_named("taxonomy_detail", "taxonomy", "taxonomy_id"),)),
    "taxonomy": Shape("taxonomy"),
    **{
        table: _plain(table)
        for table in (
            "program", "schedule", "language", "address", "accessibility", "service_area", "cost_option",
            "required_document", "funding", "url", "unit", "organization_identifier",
        )
    },
}  # fmt: skip

# References that say something the nesting does not.
TOLD_REFERENCES = {"parent_id", "parent_organization_id"}
# A count that is no longer fresh says nothing about tonight (D5).
ONLY = {
    "service_capacity": fresh_condition("(select u.name from published.unit u where u.id = t.unit_id)", "t.updated")
}


@lru_cache(maxsize=64)
def references_of(table: str) -> tuple[str, ...]:
    """Columns of the table that name another row."""
    return tuple(column.name for column in columns_of(table) if column.reference)


@lru_cache(maxsize=64)
def row_sql(table: str) -> str:
    """The row `t` as a JSON object of its own columns: all but the references that the nesting stands for."""
    hidden = set(references_of(table)) - TOLD_REFERENCES
    names = ["id", *(column.name for column in columns_of(table) if column.name not in hidden)]
    pairs = ", ".join(f"'{name}', {value_sql(table, name, 't')}" for name in names)
    return f"json_strip_nulls(json_build_object({pairs}))::text"
