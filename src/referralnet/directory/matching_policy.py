"""How services are ranked for a need, on one screen: what speaks for each and against it, and what that is worth.

A condition is SQL over `e` (the listing's row), `c` (its best count of units), `a` (the agency that keeps it), `s` (how
often it accepts) and the need's fields as parameters. What is asked for and where are the only wishes that exclude.
docs/matching.md tells this table to people; a test compares the two.
"""

from __future__ import annotations

from referralnet.directory.ranking import Reason, open_then

# Asked for urgently, what is confirmed free outranks all that is not, but for what cannot take her at all.
URGENT_POINTS = 3_000
CANNOT_POINTS = -10_000

ACCEPTS_OFTEN_PERCENT = 70
ACCEPTS_SELDOM_PERCENT = 30

UNITS_FOR_ONE_PERSON = ("bed", "crib")
"""A household of three needs three of these, and one of any other unit."""

FAMILY_UNIT = "famil"
"""What stands in the name of a unit that is made for several."""

AGE_BANDS = {"under_13": (0, 12), "13_17": (13, 17), "18_24": (18, 24), "25_59": (25, 59), "60_over": (60, 120)}
"""Youngest and oldest age of each band of survivors.needs.AgeBand."""

_AGE_STATED = "coalesce(e.minimum_age, e.maximum_age) is not null"
_YOUNGEST, _OLDEST = "coalesce(e.minimum_age, 0)", "coalesce(e.maximum_age, 200)"
_FREE = "c.state = 'fresh' and c.enough"
_FULL = "c.state = 'fresh' and not c.enough"
_HOURS = open_then("e")
_SPEAKS = "e.languages && :languages"
_HOUSEHOLD = ":household_size > 1"


def touches(codes: str, region: str) -> str:
    """Whether one of a row's codes is of the region, of which a state has hundreds: by a hash, not each by each."""
    return f"exists (select from unnest({codes}) code where code = any (:{region}))"


_COVERS = touches("e.counties", "areas")
_COVERS_WHOLE = touches("e.counties", "whole")

REASONS = (
    # Who is taken.
    Reason("serves_age", 60, f"{_AGE_STATED} and {_YOUNGEST} <= :age_from and :age_to <= {_OLDEST}"),
    Reason("outside_age", CANNOT_POINTS, f"{_YOUNGEST} > :age_to or {_OLDEST} < :age_from"),
    Reason("age_not_stated", -10, f"not {_AGE_STATED}"),
    Reason("takes_children", 120, f"{_HOUSEHOLD} and e.takes_children is true"),
    Reason("children_not_stated", -60, f"{_HOUSEHOLD} and e.takes_children is null"),
    Reason("adults_only", -200, f"{_HOUSEHOLD} and e.takes_children is false"),
    Reason("no_minors", CANNOT_POINTS, ":age_to < 18 and e.takes_children is false"),
    Reason("household_fits", 40, f"{_HOUSEHOLD} and e.household_maximum >= :household_size"),
    Reason("household_too_large", CANNOT_POINTS, "e.household_maximum < :household_size"),
    # Being understood, getting in.
    Reason("speaks_language", 150, _SPEAKS),
    Reason("interpretation_available", 60, f"not {_SPEAKS} and e.interpretation"),
    Reason("language_not_spoken", -80, f"not {_SPEAKS}"),
    Reason("accessible", 100, "cardinality(:access) > 0 and e.traits @> :access"),
    Reason("access_not_stated", -100, "not e.traits @> :access"),
    # Where.
    Reason("covers_region", 60, _COVERS_WHOLE),
    Reason("covers_part_of_region", 30, f"{_COVERS} and not {_COVERS_WHOLE}"),
    Reason("place_in_region", 20, f"{touches('e.cells', 'points')} and not {_COVERS}"),
    Reason("coverage_not_stated", -40, "cardinality(e.cells) = 0"),
    # Now. A count that is too old counts for nothing (D5).
    Reason("open_units_confirmed", URGENT_POINTS, f":urgent and {_FREE}"),
    Reason("open_units", 300, f"not :urgent and {_FREE}"),
    Reason("capacity_unconfirmed", -20, "c.state = 'unconfirmed'"),
    Reason("capacity_not_told", -40, ":urgent and c.state is null"),
    Reason("no_units_now", -URGENT_POINTS, f":urgent and {_FULL}"),
    Reason("few_units", -100, f"not :urgent and {_FULL}"),
    Reason("open_now", 30, _HOURS),
    Reason("closed_now", -30, f":urgent and e.hours is not null and not {_HOURS}"),
    Reason("hours_not_stated", -10, "e.hours is null"),
    # Who it is.
    Reason("network_member", 80, "e.agency_id is not null"),
    Reason("call_only", -80, "e.agency_id is null"),
    Reason("accepts_often", 50, f"s.share_percent >= {ACCEPTS_OFTEN_PERCENT}"),
    Reason("accepts_seldom", -50, f"s.share_percent <= {ACCEPTS_SELDOM_PERCENT}"),
    Reason(
        "keeps_confidences", 60, ":immigration_sensitive and a.regime in ('victim_service_provider', 'legal_privilege')"
    ),
    Reason("run_by_government", -150, ":immigration_sensitive and a.kind in ('law_enforcement', 'prosecution')"),
)
