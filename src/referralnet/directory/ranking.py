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
    """`points` above nought speak for a service, below it against. `asked`: the wish without which it is not judged."""

    code: str
    points: int
    condition: str
    asked: str = ""

    @property
    def of_the_listing_alone(self) -> bool:
        """Whether the listing's own row decides it, so that it can weigh candidates before their units are read."""
        return "c." not in self.condition


# Asked for tonight, a bed that is confirmed free outranks all that is not, and one that is confirmed full comes last,
# whatever else is true of them: 2,000 is more than all the others can add up to (a test holds it).
TONIGHT_POINTS = 2_000


def open_then(row: str) -> str:
    """Whether a row says that it is open at :open_at.

    One span of dates, as most have, is judged in place, by the local minute of the week and date of each time zone
    (:open_minutes, :open_dates): to have them worked out for each row took half of a search.
    """
    return f"""coalesce(case when cardinality({row}.hours) = 1
        then {row}.hours[1] @> (:open_minutes -> {row}.time_zone)::int
             and {row}.hours_valid[1] @> (:open_dates ->> {row}.time_zone)::date end,
        directory_open_at({row}.hours, {row}.hours_valid, {row}.time_zone, :open_at))"""


REASONS = (
    Reason("category_match", 100, "e.categories && :categories", "categories"),
    Reason("every_category_matches", 50, "cardinality(:categories) > 1 and e.categories @> :categories", "categories"),
    Reason("words_match", 50, "e.words @@ :words_query", "words"),
    Reason("eligibility_words_match", 40, "e.eligibility @@ :eligibility_query", "eligibility_words"),
    Reason("speaks_language", 150, "e.languages && :languages", "languages"),
    Reason("interpretation_available", 60, "not e.languages && :languages and e.interpretation", "languages"),
    Reason("takes_children", 120, "e.takes_children is true", "takes_children"),
    Reason("serves_gender", 40, "e.traits && :gender_said", "gender"),
    Reason("household_fits", 60, "e.household_maximum >= :household_size", "household_size"),
    Reason("cost_fits", 40, "e.traits && :cost_said", "costs"),
    Reason("accessible", 60, "e.traits @> :access_said", "accessibility"),
    Reason("open_then", 60, open_then("e"), "open_at"),
    Reason("within_distance", 20, "e.spot is not null", "place"),
    Reason("covers_area", 60, "e.counties && :own_area", "place"),
    Reason("covers_nearby", 20, "e.counties && :coverage_cells and not e.counties && :own_area", "place"),
    Reason("open_units_confirmed", TONIGHT_POINTS, "c.state = 'fresh' and c.available > 0", "tonight"),
    Reason("open_units", 30, "c.state = 'fresh' and c.available > 0", "not_tonight"),
    Reason("network_member", 40, "e.agency_id is not null"),
    Reason("language_not_spoken", -80, "not e.languages && :languages", "languages"),
    Reason("children_not_stated", -60, "e.takes_children is null", "takes_children"),
    Reason("gender_not_stated", -10, "e.traits @> array['gender:unsaid']", "gender"),
    Reason("household_not_stated", -20, "e.household_maximum is null", "household_size"),
    Reason("cost_not_stated", -20, "e.traits @> array['cost:unsaid']", "costs"),
    Reason("accessibility_not_stated", -40, "not e.traits @> :access_said", "accessibility"),
    Reason("hours_not_stated", -20, "e.hours is null", "open_at"),
    Reason("outside_coverage", -80, "cardinality(e.counties) > 0 and not e.counties && :own_area", "place"),
    Reason("capacity_unconfirmed", -20, "c.state = 'unconfirmed'", "tonight"),
    Reason("capacity_not_told", -40, "c.state is null", "tonight"),
    Reason("full", -TONIGHT_POINTS, "c.state = 'fresh' and c.available = 0", "tonight"),
)
