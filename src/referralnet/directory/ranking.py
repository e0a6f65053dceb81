"""How search ranks, on one screen: what speaks for a service and against it, and how many points each is worth.

A condition is SQL over `e` (the listing's row), `c` (its best capacity) and the query's parameters. Besides, a public
place gets up to NEAR_POINTS, less the farther away it is, and words up to WORDS_POINTS by how well they match.
"""

from __future__ import annotations

from dataclasses import dataclass

NEAR_POINTS = 100
WORDS_POINTS = 100


@dataclass(frozen=True, slots=True)
class Reason:
    """`points` above nought speak for a service, below it against."""

    code: str
    points: int
    condition: str


# Asked for tonight, a bed that is confirmed free outranks all that is not, and one that is confirmed full comes last,
# whatever else is true of them: 2,000 is more than all the others can add up to (a test holds it).
TONIGHT_POINTS = 2_000

REASONS = (
    Reason("category_match", 100, "e.categories && :categories"),
    Reason("every_category_matches", 50, "cardinality(:categories) > 1 and e.categories @> :categories"),
    Reason("words_match", 50, "e.words @@ query.words"),
    Reason("speaks_language", 150, "e.languages && :languages"),
    Reason(
        "interpretation_available",
        60,
        "cardinality(:languages) > 0 and not e.languages && :languages and e.interpretation",
    ),
    Reason("takes_children", 120, ":takes_children and e.takes_children is true"),
    Reason("within_distance", 20, "e.distance_kilometers is not null"),
    Reason("covers_area", 60, "e.counties && :own_area"),
    Reason("covers_nearby", 20, "e.counties && :coverage_cells and not e.counties && :own_area"),
    Reason("open_units_confirmed", TONIGHT_POINTS, ":available_tonight and c.state = 'fresh' and c.available > 0"),
    Reason("open_units", 30, "not :available_tonight and c.state = 'fresh' and c.available > 0"),
    Reason("network_member", 40, "e.agency_id is not null"),
    Reason("language_not_spoken", -80, "cardinality(:languages) > 0 and not e.languages && :languages"),
    Reason("children_not_stated", -60, ":takes_children and e.takes_children is null"),
    Reason(
        "outside_coverage",
        -80,
        "cardinality(:own_area) > 0 and cardinality(e.counties) > 0 and not e.counties && :own_area",
    ),
    Reason("capacity_unconfirmed", -20, ":available_tonight and c.state = 'unconfirmed'"),
    Reason("capacity_not_told", -40, ":available_tonight and c.state is null"),
    Reason("full", -TONIGHT_POINTS, ":available_tonight and c.state = 'fresh' and c.available = 0"),
)
