"""Valid packages of HSDS 3.1 that hypothesis makes: any text, any tables, every reference to a row that is there."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from tests.factories.directory import Rows

# Of letters that a second decoding shows, none: beside one with an accent they are taken for one (dirt.py).
SECOND_BYTES = "".join(chr(byte) for byte in range(0x80, 0xC0)) + bytes(
    byte for byte in range(0x80, 0xA0) if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
).decode("cp1252")
LETTERS = st.characters(
    codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters=f"{SECOND_BYTES}\ufffd'#"
)
WORDS = st.text(LETTERS, max_size=24).map(lambda words: " ".join(words.split()))
NAMED = WORDS.map(lambda words: words or "A name")
DATES = st.dates(date(1900, 1, 1), date(2200, 1, 1)).map(str)
AGES = st.sampled_from(["", "0", "18", "64.5"])


@st.composite
def valid_packages(draw: st.DrawFn) -> dict[str, Rows]:
    """Rows by the stem of their file; ids are letters and numbers, as they come."""
    organizations = draw(st.integers(1, 3))
    tables: dict[str, Rows] = {"organizations": [], "services": [], "locations": [], "service_at_location": []}
    for number in range(organizations):
        own = f"o{number}"
        parent = draw(st.sampled_from(["", *(f"o{other}" for other in range(organizations) if other != number)]))
        said = {"name": draw(NAMED), "description": draw(WORDS), "parent_organization_id": parent}
        tables["organizations"].append({"id": own} | said)
        place = {"location_type": draw(st.sampled_from(["physical", "virtual"])), "name": draw(WORDS)}
        tables["locations"].append({"id": f"l{number}", "organization_id": own} | place)
        service = {"name": draw(NAMED), "description": draw(WORDS), "status": "active", "minimum_age": draw(AGES)}
        tables["services"].append({"id": f"s{number}", "organization_id": own} | service)
        link = {"id": f"a{number}", "service_id": f"s{number}", "location_id": f"l{number}"}
        tables["service_at_location"].append(link | {"description": draw(WORDS)})
        draw(belongings(tables, number))
    return tables


@st.composite
def belongings(draw: st.DrawFn, tables: dict[str, Rows], number: int) -> None:
    """Some of what may hang on an organization, its service or its location."""
    of_service, of_place = {"service_id": f"s{number}"}, {"location_id": f"l{number}"}
    street = {"address_1": draw(NAMED), "city": "Rockford", "state_province": "IL", "postal_code": "61104"}
    week = {"byday": draw(st.sampled_from(["MO", "TU,WE"])), "opens_at": "09:00", "closes_at": "24:00"}
    possible: dict[str, dict[str, str]] = {
        "addresses": of_place | street | {"country": "US", "address_type": "physical"},
        "phones": of_service | {"number": "+1 815-555-0170", "extension": draw(st.sampled_from(["", "12"]))},
        "schedules": of_service | week | {"valid_from": draw(DATES), "notes": draw(WORDS)},
        "languages": of_service | {"code": draw(st.sampled_from(["es", "en", "yue"])), "note": draw(WORDS)},
        "service_areas": of_service | {"extent": "Cook County, IL", "extent_type": "county", "name": draw(WORDS)},
        "accessibility": of_place | {"description": draw(NAMED)},
        "cost_options": of_service | {"option": draw(NAMED), "amount": draw(AGES)},
        "required_documents": of_service | {"document": draw(NAMED)},
        "funding": of_service | {"source": draw(NAMED)},
        "url": of_service | {"url": "https://example.org", "label": draw(WORDS)},
        "contacts": {"organization_id": f"o{number}", "name": draw(NAMED)},
        "programs": {"organization_id": f"o{number}", "name": draw(NAMED), "description": draw(WORDS)},
        "organization_identifiers": {
            "organization_id": f"o{number}",
            "identifier_type": "EIN",
            "identifier": draw(NAMED),
        },
        "attributes": {
            "link_id": f"s{number}",
            "link_entity": "service",
            "taxonomy_term_id": "legal",
            "label": draw(WORDS),
        },
    }
    for stem in draw(st.sets(st.sampled_from(sorted(possible)))):
        tables.setdefault(stem, []).append({"id": f"{stem}{number}"} | possible[stem])
