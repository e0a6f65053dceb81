"""The endpoints on one screen, as HSDS's API specification names them, and what may be asked of each."""

from __future__ import annotations

from dataclasses import dataclass

PER_PAGE = 50
PER_PAGE_MAX = 100
MINIMAL_MAX = 10_000
"""Services in one page of the smallest answer, which the specification wants on one page."""
SKIPPED_MAX = 10_000
"""Objects that a page number may skip; whoever wants them all follows the next links or takes ndjson."""

_PAGING = ("page", "per_page", "after", "format")
_TERMS = ("taxonomy_term_id", "taxonomy_id")


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object: where it is, how it is told in lists, in full and alone, and its parameters."""

    name: str
    table: str
    listed: str
    full: str
    parameters: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/hsds/{self.name}"


RESOURCES = (
    Resource(
        "services",
        "service",
        "service_listed",
        "service",
        ("search", *_PAGING, *_TERMS, "organization_id", "modified_after", "minimal", "full"),
    ),
    Resource(
        "organizations",
        "organization",
        "organization_listed",
        "organization",
        ("search", "full_service", "full", *_TERMS, *_PAGING),
        ("full_service",),
    ),
    Resource(
        "service_at_locations",
        "service_at_location",
        "service_at_location_listed",
        "service_at_location",
        ("search", *_TERMS, "organization_id", "modified_after", "full", *_PAGING, "postcode", "proximity"),
    ),
    Resource("taxonomies", "taxonomy", "taxonomy", "taxonomy", ("search", *_PAGING)),
    Resource(
        "taxonomy_terms",
        "taxonomy_term",
        "taxonomy_term",
        "taxonomy_term",
        ("search", *_PAGING, "taxonomy_id", "top_only", "parent_id"),
    ),
)

MEANINGS: dict[str, tuple[str, str]] = {
    "search": ("string", "Words, in English or Spanish; at most 200 characters."),
    "page": ("integer", "Number of the page, from 1."),
    "per_page": ("integer", f"Objects on a page, 1 to {PER_PAGE_MAX} (with minimal to {MINIMAL_MAX})."),
    "after": ("string", "An object's id: the page begins behind it. The Link header's next page has it filled in."),
    "format": ("string", "json, or ndjson: every object on a line of its own, without pages."),
    "taxonomy_term_id": ("string", "What is tagged with this term or one below it."),
    "taxonomy_id": ("string", "What is tagged with any term of this taxonomy; of terms, those in it."),
    "organization_id": ("string", "What this organization offers."),
    "modified_after": ("string", "Services last modified at this time or later (RFC 3339)."),
    "minimal": ("boolean", "Ids and times of change alone."),
    "full": ("boolean", "Everything nested."),
    "full_service": ("boolean", "Everything nested, and the services of each organization too."),
    "postcode": ("string", "What covers this ZIP code, or says nothing of an area."),
    "proximity": ("number", "Meters from the middle of the postcode: what lies within, instead."),
    "top_only": ("boolean", "Terms that stand below no other."),
    "parent_id": ("string", "Terms right below this one."),
}
"""Parameter -> its type in JSON Schema, and what it does."""
