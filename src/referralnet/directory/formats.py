"""How HSDS packages call things, on one screen: file names, columns of older versions, and what a blank means.

The columns themselves are those of `tables.py`, which carry HSDS 3.1 names (datapackage.json of the specification).
"""

from __future__ import annotations

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
    "address": ("addresses.csv", "address.csv", "physical_addresses.csv"),
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
    "attribute": ("attributes.csv", "attribute.csv", "other_attributes.csv"),
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
