"""What we publish under providers/ is consistent and cannot be mistaken for real people."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from referralnet.directory.formats import FILES
from referralnet.directory.places import zip_place
from referralnet.published import path

SPECIFICATION = Path(__file__).parents[4] / "shared" / "reference" / "hsds-3.1-dev" / "datapackage.json"
TABLES = {files[0].removesuffix(".csv") for files in FILES.values()}


def rows(folder: str, name: str) -> list[dict[str, str]]:
    with path("providers", folder, f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_telephone_number_is_one_that_is_kept_for_fiction() -> None:
    numbers = [row["number"] for row in rows("example", "phones")]
    assert numbers
    assert all(re.fullmatch(r"\d{3}-555-01\d\d", number) for number in numbers)


def test_every_web_and_mail_address_is_under_example_org() -> None:
    for row in rows("example", "organizations"):
        assert row["website"].endswith(".example.org")
        assert row["email"].endswith(".example.org")


def test_every_place_lies_near_its_zip_code_in_a_real_city() -> None:
    locations = {row["id"]: row for row in rows("example", "locations")}
    for address in rows("example", "addresses"):
        place = zip_place(address["postal_code"])
        assert place is not None
        location = locations[address["location_id"]]
        assert abs(float(location["latitude"]) - place.latitude) < 0.05
        assert abs(float(location["longitude"]) - place.longitude) < 0.05


def test_no_sentence_of_the_example_is_used_twice() -> None:
    said = Counter(
        row[column]
        for table, columns in {"organizations": ["description"], "services": ["name", "description"]}.items()
        for row in rows("example", table)
        for column in columns
    )
    assert [text for text, times in said.items() if times > 1] == []


def test_several_services_are_confidential_and_each_of_those_tells_its_coverage() -> None:
    marks = {row["id"] for row in rows("taxonomy", "taxonomy_terms") if row["code"] == "confidential_location"}
    hidden = {row["link_id"] for row in rows("example", "attributes") if row["taxonomy_term_id"] in marks}
    services = {row["service_id"] for row in rows("example", "service_at_location") if row["location_id"] in hidden}
    assert 8 <= len(services) <= 10
    assert services <= {row["service_id"] for row in rows("example", "service_areas")}


@pytest.mark.rule("D1")
def test_no_public_text_of_the_example_tells_a_confidential_street() -> None:
    marks = {row["id"] for row in rows("taxonomy", "taxonomy_terms") if row["code"] == "confidential_location"}
    hidden = {row["link_id"] for row in rows("example", "attributes") if row["taxonomy_term_id"] in marks}
    secrets = [row for row in rows("example", "addresses") if row["location_id"] in hidden]
    public = " ".join(
        " ".join(row.values()) for table in ("organizations", "services") for row in rows("example", table)
    )
    assert secrets
    for address in secrets:
        assert address["postal_code"] not in public
        street = address["address_1"].partition(" ")[2]
        assert street not in public


def test_every_term_stands_in_english_and_in_spanish_below_the_same_parent() -> None:
    terms = rows("taxonomy", "taxonomy_terms")
    codes = {row["id"]: row["code"] for row in terms}
    by_language = {
        language: {row["code"]: codes.get(row["parent_id"]) for row in terms if row["language"] == language}
        for language in ("en", "es")
    }
    assert len(by_language["en"]) >= 45
    assert by_language["en"] == by_language["es"]


def test_every_synonym_leads_somewhere() -> None:
    codes = {row["code"] for row in rows("taxonomy", "taxonomy_terms")}
    for row in rows("taxonomy", "synonyms"):
        assert row["meaning"] in {"category", "language", "takes_children", "available_tonight"}
        if row["meaning"] == "category":
            assert row["code"] in codes, row


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the HSDS specification is not beside the checkout")
def test_the_columns_are_those_of_hsds_3_1() -> None:
    resources = json.loads(SPECIFICATION.read_text("utf-8"))["resources"]
    fields = {
        Path(resource["path"]).stem: {field["name"] for field in resource["schema"]["fields"]} for resource in resources
    }
    for file in path("providers", "example").glob("*.csv"):
        assert file.stem in TABLES
        with file.open(encoding="utf-8", newline="") as opened:
            columns = set(next(csv.reader(opened)))
        # The specification's package leaves fields of these two out; its JSON schemas have them.
        if file.stem not in {"units", "service_capacity"}:
            assert columns <= fields[file.stem], file.stem
