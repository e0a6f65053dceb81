"""How HSDS packages call things, on one screen: file names, columns of older versions, and what a blank means.

The columns themselves are those of `tables.py`, which carry HSDS 3.1 names (datapackage.json of the specification).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# In the order of import: a table stands after those it refers to.
FILES: dict[str, tuple[str, ...]] = {
    "taxonomy": ("taxonomies.csv", "taxonomy_list.csv"),
    "taxonomy_term": ("taxonomy_terms.csv", "taxonomy.csv"),
    "organization": ("organizations.csv", "organization.csv"),
    "organization_identifier": ("organization_identifiers.csv", "organization_identifier.csv"),
    "program": ("programs.csv", "program.csv"),
    "service": ("services.csv", "service.csv"),
    "location": ("locations.csv", "location.csv"),
    "service_at_location": ("service_at_location.csv", "service_at_locations.csv", "services_at_location.csv"),
    "address": ("addresses.csv", "address.csv"),
    "contact": ("contacts.csv", "contact.csv"),
    "phone": ("phones.csv", "phone.csv"),
    "schedule": ("schedules.csv", "schedule.csv", "regular_schedules.csv"),
    "language": ("languages.csv", "language.csv"),
    "service_area": ("service_areas.csv", "service_area.csv"),
    "accessibility": ("accessibility.csv", "accessibility_for_disabilities.csv"),
    "cost_option": ("cost_options.csv", "cost_option.csv"),
    "required_document": ("required_documents.csv", "required_document.csv"),
    "funding": ("funding.csv", "fundings.csv"),
    "url": ("url.csv", "urls.csv"),
    "unit": ("units.csv", "unit.csv"),
    "service_capacity": ("service_capacity.csv", "service_capacities.csv"),
    "meta_table_description": ("meta_table_descriptions.csv", "meta_table_description.csv"),
    "attribute": ("attributes.csv", "attribute.csv"),
    "metadata": ("metadata.csv",),
}

# Columns that name a row of a table which another column of the row names: attributes and metadata hang on anything.
LINKS: dict[tuple[str, str], str] = {
    ("attribute", "link_id"): "link_entity",
    ("metadata", "resource_id"): "resource_type",
}

# What packages call a table where a row names one: its own name, or that of one of its files.
TABLE_NAMES: dict[str, str] = {file.removesuffix(".csv"): table for table, files in FILES.items() for file in files} | {
    table: table for table in FILES
}

# What a place's rows are known by: a row that names one which is not kept is kept out itself, or else what belongs to
# a hidden place would stand there as if it belonged to none (D1).
PLACES = {"location", "service_at_location", "phone", "contact"}

# 1.x (and 2.0) name -> 3.1 name.
COLUMNS: dict[str, dict[str, str]] = {
    "organization": {"url": "website"},
    "schedule": {"weekday": "byday"},
    "language": {"language": "name"},
    "service_area": {"service_area": "extent"},
    "accessibility": {"accessibility": "description"},
    "required_document": {"document_type": "document"},
    "taxonomy_term": {"vocabulary": "taxonomy"},
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a file of an older version is read as rows of a table of 3.1."""

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Its name of a column -> the 3.1 name; where the file has the 3.1 name as well, that one is meant."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Columns that the old file says by its name alone; a cell of the file's own is kept."""
    prefix: str = ""
    """Before each id, where two old files became one table and their ids may meet."""
    listed: str = ""
    """Read only where the file has this column, of which each value between commas or semicolons is a row."""


_OF_SERVICE = {"service_id": "link_id", "taxonomy_id": "taxonomy_term_id", "taxonomy_detail": "value"}
# Files that 1.x and 2.0 have and 3.1 does not; and of files that both have, what became rows of another table.
FORMS: dict[str, Form] = {
    "physical_addresses.csv": Form("address", {}, {"address_type": "physical"}),
    "physical_address.csv": Form("address", {}, {"address_type": "physical"}),
    "postal_addresses.csv": Form("address", {}, {"address_type": "postal"}, "postal:"),
    "postal_address.csv": Form("address", {}, {"address_type": "postal"}, "postal:"),
    "holiday_schedules.csv": Form(
        "schedule",
        {"start_date": "valid_from", "end_date": "valid_to", "closed": "notes"},
        {"description": "Holiday"},
        "holiday:",
    ),
    "services_taxonomy.csv": Form("attribute", _OF_SERVICE, {"link_entity": "service"}, "services_taxonomy:"),
    "service_taxonomy.csv": Form("attribute", _OF_SERVICE, {"link_entity": "service"}, "service_taxonomy:"),
    "service_attributes.csv": Form("attribute", _OF_SERVICE, {"link_entity": "service"}, "service_attribute:"),
    "service_attribute.csv": Form("attribute", _OF_SERVICE, {"link_entity": "service"}, "service_attribute:"),
    "other_attributes.csv": Form("attribute", {"link_type": "link_entity"}, {}, "other_attribute:"),
    "other_attribute.csv": Form("attribute", {"link_type": "link_entity"}, {}, "other_attribute:"),
    "payments_accepted.csv": Form("cost_option", {"payment": "option"}, {}, "payment:"),
    "payment_accepted.csv": Form("cost_option", {"payment": "option"}, {}, "payment:"),
}
ALSO: dict[str, Form] = {
    "phones.csv": Form("language", {"id": "phone_id", "language": "name"}, {}, "", "language"),
    "phone.csv": Form("language", {"id": "phone_id", "language": "name"}, {}, "", "language"),
}
# Columns that are told by another table and not by their own (ALSO).
TOLD_ELSEWHERE = {("phone", "language")}

# How 3.1 nests objects in JSON: key -> the table of what stands there. Each names its parent by the parent's id.
NESTED_LISTS: dict[str, str] = {
    "phones": "phone",
    "contacts": "contact",
    "schedules": "schedule",
    "service_areas": "service_area",
    "service_at_locations": "service_at_location",
    "languages": "language",
    "funding": "funding",
    "cost_options": "cost_option",
    "required_documents": "required_document",
    "additional_urls": "url",
    "additional_websites": "url",
    "capacities": "service_capacity",
    "service_capacities": "service_capacity",
    "locations": "location",
    "programs": "program",
    "organization_identifiers": "organization_identifier",
    "addresses": "address",
    "accessibility": "accessibility",
    "services": "service",
    "attributes": "attribute",
    "metadata": "metadata",
}
# The same the other way: the parent names what stands there, key -> (table, the parent's column).
NESTED_ONE: dict[str, tuple[str, str]] = {
    "organization": ("organization", "organization_id"),
    "program": ("program", "program_id"),
    "location": ("location", "location_id"),
    "service": ("service", "service_id"),
    "unit": ("unit", "unit_id"),
    "taxonomy_detail": ("taxonomy", "taxonomy_id"),
    "taxonomy_term": ("taxonomy_term", "taxonomy_term_id"),
}
# What a document is that no file name tells: the first table of which it has one of these keys, else an organization.
TOLD_BY_KEYS: dict[str, tuple[str, ...]] = {
    "location": ("location_type",),
    "service_at_location": ("location", "location_id"),
    "service": ("status", "organization", "service_at_locations", "organization_id"),
    "taxonomy_term": ("taxonomy_detail", "taxonomy_id", "parent_id", "code"),
    "taxonomy": ("version",),
}

# A 1.x file whose rows became one column of another table: file -> (table, its reference, its value, the 3.1 column).
FOLDED: dict[str, tuple[str, str, str, str]] = {
    "eligibilities.csv": ("service", "service_id", "eligibility", "eligibility_description"),
    "eligibility.csv": ("service", "service_id", "eligibility", "eligibility_description"),
}

# Columns that must hold something for the row to mean anything, beside those the database itself requires.
REQUIRED: dict[str, tuple[str, ...]] = {
    "schedule": ("byday|bymonthday|byyearday|byweekno|description|dtstart|schedule_link|notes",),
    "language": ("name|code",),
    "address": ("address_1|city|postal_code",),
    "service_area": ("extent|name",),
}

# Letters that a column holds at most where the database keeps it in an index, whose entries have a limit of their own.
LETTERS_MAX: dict[str, int] = {
    "name": 600,
    "alternate_name": 600,
    "code": 200,
    "extent": 200,
    "link_entity": 100,
    "resource_type": 100,
}

# What a blank in a required column stands for, where one answer is certain enough.
BLANKS: dict[tuple[str, str], str] = {
    ("service", "status"): "active",
    ("location", "location_type"): "physical",
}

# Which columns tell two rows without ids apart; elsewhere the whole row does.
NATURAL_KEYS: dict[str, tuple[str, ...]] = {"service_at_location": ("service_id", "location_id")}

WEEKDAYS = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}
