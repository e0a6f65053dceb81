"""Which listings a question reaches: at most REACHED_MAX of each way of looking.

A broad question costs what a narrow one does, because each way stops when it has found enough: the nearest by the index
over points or ring by ring, those with something free by the newest counts, all others by `standing`, or of what words
and kinds find members of the network and then a tenth of the rest (decision 0175). What few listings answer is read by
the one index over words, kinds, cells and traits, whichever way; the planner knows which is less.
"""

from __future__ import annotations

from itertools import product

from referralnet.directory.freshness import counted_freshly
from referralnet.directory.places import EARTH_RADIUS_KILOMETERS
from referralnet.directory.ranking import open_then
from referralnet.directory.search_parameters import Shape

REACHED_MAX = 2_000
CLOSE_CELLS_MAX = 320
"""Of a radius of some 200 km. Beyond, to look for each cell takes longer than to plan for the words that are asked."""
WIDE_CELLS = 20
"""Of a radius of some 45 km. Beyond, a city may have more listings than are counted as free in the whole country."""
NEAR_MAX = 4
"""Codes of cells and areas that a count tells (service_capacity.near, migration 0074)."""
RINGS_KILOMETERS = (40.0, 100.0, 200.0)
"""Of a larger circle. Where REACHED_MAX are found so near, none beyond is nearer."""

# Most listings pass these, which the planner cannot know: told so, it walks the order of an index until enough are
# found, instead of reading the whole table for the few it expects. (A null test on an expression is taken as 99.5 %.)
_MOST = "nullif({condition}, false) is not null"
# And few pass these: an equation with what is not known is taken as 0.5 %.
_FEW = "case when {condition} then 1 end = 1"
_OPEN = open_then("e")
_AGE = _MOST.format(condition="(coalesce(e.minimum_age, 0) <= :age and :age <= coalesce(e.maximum_age, 200))")


# Conditions on the listing `e`. The GIN index over (words, categories, cells, traits, eligibility) answers those with
# && and @@, b-trees those on an id; what neither answers is asked of rows in the order they are reached.
FILTERS = {
    "asked_categories": "e.categories && :asked_categories",
    "words": "e.words @@ :words_query",
    "hints": "e.categories && :hinted_categories",
    "words_or_hints": "(e.words @@ :words_query or e.categories && :hinted_categories)",
    "age": _AGE,
    "age_stated": f"{_AGE} and (e.minimum_age is not null or e.maximum_age is not null)",
    "children": _MOST.format(condition="(e.takes_children is not false)"),
    "children_stated": "e.takes_children",
    "gender": "e.traits && :genders",
    "cost": "e.traits && :costs",
    "household": _MOST.format(condition="(coalesce(e.household_maximum, 99) >= :household_size)"),
    "household_stated": "e.household_maximum >= :household_size",
    "open": _MOST.format(condition=f"(e.hours is null or {_OPEN})"),
    "open_stated": _MOST.format(condition=f"(e.hours is not null and {_OPEN})"),
    "access_stated": "e.traits @> :access_said",
    "spoken": "e.traits && :spoken",
    "organization": "e.organization_id = :organization_id",
    "agency": "e.agency_id = :agency_id",  # lint: agency-filter a public listing's keeper is a thing to ask for
    "listed": "e.service_at_location_id = any (:listed)",
    "coverage": "e.traits && :coverage",
    "eligibility": "e.eligibility @@ :eligibility_query",
}
_INDEXED = {
    "asked_categories", "words", "hints", "words_or_hints", "gender", "cost", "access_stated", "spoken", "coverage",
    "eligibility",
}  # fmt: skip
"""Filters that the one GIN index answers."""

# Points of public places only: a confidential entry has none (D3). Through the globe, in kilometers, so that the index
# over points answers it; along its surface it is told (DISTANCE).
_CENTER = "cube(:center)"
_CHORD = f"(e.spot <-> {_CENTER})"
_DIAMETER = 2 * EARTH_RADIUS_KILOMETERS
DISTANCE = f"case when e.spot is not null then {_DIAMETER} * asin(least(1, {_CHORD} / {_DIAMETER})) end"

_SAID_FREE = f"""free.gone_at is null and free.available > 0
        and {counted_freshly("free")}"""
FREE = f"free.service_id = e.service_id and {_SAID_FREE}"
"""Whether the count `free` (service_capacity) of the listing `e` is believed, and says that something is free."""


def free_near(region: str) -> str:
    """The join of all such counts that may be of the region. Each says so itself, so that no listing elsewhere is read.

    With an offset, so that they are asked after it is known which are believed, and before any listing.
    """
    said = " or ".join(f"free.near[{at}] = any (:{region})" for at in range(1, NEAR_MAX + 1))
    may_be = _FEW.format(condition=f"free.near is null or {said}")
    return f"""join (select free.service_id, free.updated, free.near from service_capacity free
                     where {_SAID_FREE} offset 0) free
             on free.service_id = e.service_id and {may_be}"""  # noqa: S608 (fixed parts)


# The join, the condition and the order of each way of looking.
_STANDING = "e.standing desc, e.service_at_location_id desc"
# Of what an index over words, kinds and traits answers: members of the network, and apart from them anybody, of whom a
# tenth is asked first: the first by standing, since ids are digests. Members have such an index for themselves, and so
# has the tenth (migration 0073).
_TENTH = "(e.standing, e.service_at_location_id) >= (0, 'e6666666-6666-6666-6666-666666666666')"
MEMBERS, SOME_OTHERS, OTHERS = "e.standing > 0", f"e.standing = 0 and {_TENTH}", f"e.standing = 0 and not {_TENTH}"
_SORTED = f"{_CHORD} + 0"  # by no index
_RINGS = tuple(f"ring_{number}" for number in range(len(RINGS_KILOMETERS) + 1))
_RING = f"e.cells && :{{ring}}_cells and {_CHORD} > :{{ring}}_inner_chord and {_CHORD} <= :{{ring}}_outer_chord"
_PLACES = {
    "anywhere": ("", "", _STANDING),
    "members": ("", MEMBERS, ""),
    "some_others": ("", SOME_OTHERS, ""),
    "others": ("", OTHERS, ""),
    "near": ("", f"e.spot <@ cube_enlarge({_CENTER}, :within_chord, 3) and {_CHORD} <= :within_chord", _CHORD),
    # Of a large circle, what words and kinds find is looked for ring by ring.
    **{ring: ("", _RING.format(ring=ring), _SORTED) for ring in _RINGS},
    # What is free is found first: by distance, each place would be asked whether it is.
    "free_within": (free_near("point_cells"), f"{_CHORD} <= :within_chord", _SORTED),
    "close": ("", f"e.cells && :point_cells and {_CHORD} <= :within_chord", _CHORD),
    "nearest": ("", "e.spot is not null", _CHORD),
    "nearest_free": ("", "e.spot is not null", _SORTED),
    "covering_near": ("", "e.spot is null and e.cells && :coverage_cells", _STANDING),
    "covering": ("", "e.traits && :own_area", _STANDING),
}
_BY_DISTANCE = frozenset({"near", *_RINGS, "free_within", "close", "nearest", "nearest_free"})
# Which way another goes on from, if that has not found enough. What many answer has been found by then: an index over
# words hands out all or nothing, and a frequent word would cost the more the larger the directory is.
_GOES_ON_FROM = {"others": ("some_others",), **{ring: _RINGS[:at] for at, ring in enumerate(_RINGS) if at}}
_COUNTS = {
    "whatever": ("", "", ""),
    "free": ("join service_capacity free on true", FREE, "free.updated desc"),
    "confirmed": (
        "join service_capacity counted on true",
        """counted.service_id = e.service_id and counted.gone_at is null
        and counted.updated between :confirmed_since and :now""",
        "counted.updated desc",
    ),
}


def is_close(filters: tuple[str, ...], cells: int) -> bool:
    """Whether the one index answers all that a question within so many cells leaves out: then its plan is the same
    whatever is asked, and need not be made again.
    """
    return "area" in filters and not is_far(cells) and not _INDEXED.isdisjoint(filters)


def is_wide(cells: int) -> bool:
    """Whether within a radius that touches so many cells what is free is found by its counts, and not by distance."""
    return cells > WIDE_CELLS


def is_far(cells: int) -> bool:
    """Whether a radius that touches so many cells is large."""
    return cells > CLOSE_CELLS_MAX


def has_one_plan(shape: Shape) -> bool:
    """Whether every way of this shape is through the one index, whatever words and kinds are asked for."""
    return shape.close or all(_is_ringed(shape, counts) for counts in _counts(shape))


def _is_ringed(shape: Shape, counts: tuple[str, ...]) -> bool:
    return shape.far and "area" in shape.filters and counts == ("whatever",) and not _INDEXED.isdisjoint(shape.filters)


def reach(shape: Shape, selected: str) -> str:
    """The CTE `reached`: `selected` of each listing, whether something `is_free`, and its `way`.

    A listing may be reached twice, by two ways or by two counts.
    """
    ways = [way for counts in _counts(shape) for way in product(_places(shape, counts), [counts])]
    gone_on_from = {before for at, _ in ways for before in _GOES_ON_FROM.get(at, ())}
    named, found = [], []
    for place, counts in ways:
        number = ways.index((_GOES_ON_FROM.get(place, (place,))[0], counts))
        way = _way(shape, selected, number, place, counts)
        if place in gone_on_from:
            named.append(f"{place} as materialized ({way})")
            way = f"table {place}"
        found.append(f"({way})")
    return ", ".join([*named, f"reached as ({' union all '.join(found)})"])


def _places(shape: Shape, counts: tuple[str, ...]) -> tuple[str, ...]:
    if shape.close:
        return "close", "covering_near"
    if "area" in shape.filters:
        if _is_ringed(shape, counts):
            return (*_RINGS, "covering_near")
        return "free_within" if shape.wide and counts[0] == "free" else "near", "covering_near"
    # What a few in a hundred answer would be looked for among all, in the order of `standing`. Told no order, and given
    # a condition that the index of that order answers as well, the planner takes whichever index is through sooner.
    indexed = counts == ("whatever",) and not _INDEXED.isdisjoint(shape.filters)
    anywhere = ("members", "some_others", "others") if indexed else ("anywhere",)
    nearest = "nearest_free" if counts[0] == "free" else "nearest"
    return (nearest, "covering", *anywhere) if "place" in shape.wishes else anywhere


def _counts(shape: Shape) -> tuple[tuple[str, ...], ...]:
    asked = ("confirmed",) if "confirmed" in shape.filters else ()
    if "accepting" in shape.filters:
        return (("free", *asked),)
    return (("free", *asked), asked or ("whatever",)) if "tonight" in shape.wishes else (asked or ("whatever",),)


def _way(shape: Shape, selected: str, number: int, place: str, counts: tuple[str, ...]) -> str:
    joined = counts[1:] if place == "free_within" else counts
    parts = [_PLACES[place], *(_COUNTS[name] for name in joined)]
    joins = " ".join(join for join, _, _ in parts)
    conditions = [FILTERS[name] for name in dict.fromkeys(shape.filters) if name in FILTERS]
    where = " and ".join(["true", *(condition for _, condition, _ in parts if condition), *conditions])
    # By distance where there is one, else by the newest count, else by standing.
    order = _PLACES[place][2] if place in _BY_DISTANCE else _COUNTS[counts[0]][2] or _PLACES[place][2]
    ordered = f"order by {order}" if order else ""
    free = "true" if "free" in counts else "false"
    enough = " - ".join([str(REACHED_MAX), *map("(select count(*) from {})".format, _GOES_ON_FROM.get(place, ()))])
    return f"""select {selected}, {free} as is_free, {number} as way from directory_listing e {joins}
         where {where} {ordered} limit {enough}"""  # noqa: S608 (fixed parts; every value is a parameter)
