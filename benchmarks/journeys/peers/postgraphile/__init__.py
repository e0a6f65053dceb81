"""PostGraphile 5, given the same SQL as functions that return types of their own. Wants Node 22 or later."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from benchmarks.journeys.contenders import Contender
from benchmarks.journeys.peers import statements as sql
from benchmarks.journeys.questions import Question
from referralnet.directory.ranking import REASONS
from scripts.npm import NodeMissing, find_node, install

_FILES = ("package.json", "package-lock.json", "serve.mjs")
_HERE = Path(__file__).parent

_SEARCHED = "words text, category text, center float8[], within_kilometers float8, within_chord float8,\
 coverage_cells text[], point_cells text[], own_area text[]"
_GIVEN = {
    "categories": "array[category]", "asked_categories": "array[category]", "word_list": "array[words]",
    "words_query": "words_query", "word_queries": "array[words_query]", "now": "now()", "takes_children": "false",
    "first": "20", "own_area": "own_area", "coverage_cells": "coverage_cells", "point_cells": "point_cells",
    "center": "center", "within_kilometers": "within_kilometers", "within_chord": "within_chord",
}  # fmt: skip
_CODES = "array[" + ", ".join(f"'{reason.code}'" for reason in REASONS) + "]"
_POINTS = "array[" + ", ".join(str(reason.points) for reason in REASONS) + "]"

_TYPES = """
drop schema if exists benchmark_api cascade;
create schema benchmark_api;
create type benchmark_api.public_address as (address1 text, city text, state_province text, postal_code text);
create type benchmark_api.unit_count as (unit text, state text, available int, maximum int);
create type benchmark_api.matched_term as (how text, term text);
create type benchmark_api.found_service as (id uuid, service_id uuid, organization_id uuid, agency_id uuid,
  service_name text, organization_name text, description text, confidential boolean, area text, categories text[],
  languages text[], takes_children boolean, minimum_age float8, maximum_age float8, distance_kilometers float8,
  phone text, address benchmark_api.public_address, capacity benchmark_api.unit_count, reasons_for text[],
  reasons_against text[], matched benchmark_api.matched_term[]);
create type benchmark_api.asked_need as (service_type text, urgency text, region text, language text,
  household_size int, age_band text, accessibility text[], immigration_sensitive boolean);
create type benchmark_api.referral_step as (sequence int, event text, to_status text, by_agency_name text,
  at timestamptz);
create type benchmark_api.inbox_referral as (id uuid, status text, outcome text, source_agency_kind text,
  source_agency_name text, target_agency_name text, service_name text, organization_name text,
  requested_at timestamptz, answer_due_at timestamptz, holds_unit boolean, waitlist_position int, assignee_name text,
  need benchmark_api.asked_need, events benchmark_api.referral_step[]);
create type benchmark_api.accepted_referral as (id uuid, status text, source_agency_name text,
  target_agency_name text, service_name text, holds_unit boolean, need benchmark_api.asked_need,
  events benchmark_api.referral_step[]);
"""
_FUNCTIONS = f"""
create function benchmark_api.search_services({_SEARCHED}) returns setof benchmark_api.found_service
  language plpgsql stable as $$
#variable_conflict use_variable
declare
  words_query tsquery;
  asked_category text := category;
begin
  select found.words_query into words_query from (
    {sql.numbered(sql.WORDS, {"1": "words"})}
  ) found;
  return query select found.service_at_location_id, found.service_id, found.organization_id, found.agency_id,
    found.service_name, found.organization_name, found.description, found.confidential, found.area, found.categories,
    found.languages, found.takes_children, found.minimum_age::float8, found.maximum_age::float8,
    round(found.distance_kilometers::numeric, 1)::float8, found.phone,
    case when found.has_address then
      row(found.address_1, found.city, found.state_province, found.postal_code)::benchmark_api.public_address end,
    case when found.capacity_state is not null then row(found.capacity_unit, found.capacity_state,
      case found.capacity_state when 'fresh' then found.capacity_available::int end,
      found.capacity_maximum::int)::benchmark_api.unit_count end,
    array(select code from unnest(found.reasons, {_CODES}, {_POINTS}) said (applies, code, points)
           where applies and points > 0),
    array(select code from unnest(found.reasons, {_CODES}, {_POINTS}) said (applies, code, points)
           where applies and points < 0),
    array(select row('category', code)::benchmark_api.matched_term from unnest(found.categories) code
           where code = asked_category)
      || array(select row('word', word)::benchmark_api.matched_term from unnest(found.matched_words) word)
    from ({sql.numbered(sql.SEARCH_NAMED, _GIVEN)}) found;
end
$$;
create function benchmark_api.inbox() returns setof benchmark_api.inbox_referral language sql stable as $$
  select id, status, outcome, source_agency_kind, source_agency_name, target_agency_name, service_name,
    organization_name, requested_at, answer_due_at, holds_unit, waitlist_position, assignee_name,
    row(service_type, urgency, region, language, household_size, age_band, accessibility,
        immigration_sensitive)::benchmark_api.asked_need, events
    from ({sql.INBOX_OF_ROWS}) found
$$;
create function benchmark_api.accept_referral(key text, referral uuid) returns benchmark_api.accepted_referral
  language plpgsql volatile as $$
declare
  accepted benchmark_api.accepted_referral;
begin
  {sql.numbered(sql.ACCEPTING, {"1": "$2", "2": "$1", "3": "sha256($2::text::bytea)", "4": "now()"})}
  select moved.id, 'ACCEPTED', source.name, target.name, listing.service_name, false,
    row(moved.service_type, moved.urgency, null, null, moved.household_size, null, null,
        null)::benchmark_api.asked_need,
    array(select step from jsonb_populate_recordset(null::benchmark_api.referral_step, {sql.STEPS_OF_ROWS}) step)
  into accepted {sql.ACCEPTED};
  {sql.numbered(sql.WAITS, {"1": "$2", "2": "now()"})};
  return accepted;
end
$$;
grant usage on schema benchmark_api to referralnet_app;
grant execute on all functions in schema benchmark_api to referralnet_app;
"""  # noqa: S608 (fixed parts)

_SEARCH = """query Search($words: String!, $category: String!, $center: [Float]!, $within: Float!, $chord: Float!,
  $cells: [String]!, $points: [String]!, $own: [String]!) { searchServices(words: $words, category: $category,
  center: $center, withinKilometers: $within, withinChord: $chord, coverageCells: $cells, pointCells: $points,
  ownArea: $own, first: 20) { edges { node {
  id: rowId serviceId organizationId agencyId serviceName organizationName description confidential area categories
  languages takesChildren minimumAge maximumAge distanceKilometers phone
  address { address1 city stateProvince postalCode } capacity { unit state available maximum } reasonsFor reasonsAgainst
  matched { how term } } } } }"""
_INBOX = """query Inbox { inbox(first: 50) { edges { node { id: rowId status outcome sourceAgencyKind sourceAgencyName
  targetAgencyName serviceName organizationName requestedAt answerDueAt holdsUnit waitlistPosition assigneeName
  need { serviceType urgency region language householdSize ageBand accessibility immigrationSensitive }
  events { sequence event toStatus byAgencyName at } } } } }"""
_ACCEPT = """mutation Accept($key: String!, $id: UUID!) { acceptReferral(input: {key: $key, referral: $id}) { result {
  id: rowId status sourceAgencyName targetAgencyName serviceName holdsUnit need { serviceType urgency householdSize }
  events { sequence event toStatus byAgencyName } } } }"""


def _ask(question: Question) -> tuple[str, dict[str, str], bytes]:
    document, asked = {"A": _SEARCH, "B": _INBOX, "C": _ACCEPT}[question.journey], question.asked
    if question.journey == "A":
        given = sql.search_values(asked["search"])
        asked = {"words": asked["search"]["words"], "category": asked["search"]["categories"][0]}
        asked |= {"center": given["center"], "within": given["within_kilometers"], "chord": given["within_chord"]}
        asked |= {"cells": given["coverage_cells"], "points": given["point_cells"], "own": given["own_area"]}
    headers = {"agency": str(question.agency), "accept": "application/json"}
    return "/graphql", headers, orjson.dumps({"query": document, "variables": asked})


def _unwrap(journey: str, answer: Any) -> Any:
    if journey == "C":
        return {"__typename": "Referral"} | answer["data"]["acceptReferral"]["result"]
    root = {"A": "searchServices", "B": "inbox"}[journey]
    return [edge["node"] for edge in answer["data"][root]["edges"]]


async def _make_functions(sockets: str) -> None:
    connection = await asyncpg.connect(host=sockets, user="postgres", database="benchmark")
    await connection.execute(_TYPES + _FUNCTIONS)
    await connection.close()


async def bring_postgraphile(folder: Path, sockets: str, tell: Callable[[str], None]) -> Contender | None:
    """Install it into a folder of this run, and make its functions; None, said aloud, where it cannot be had."""
    place = folder / "postgraphile"
    place.mkdir()
    for name in _FILES:
        shutil.copy(_HERE / name, place)
    try:
        node = find_node(22)
        await asyncio.to_thread(install, node, place)
    except (NodeMissing, OSError, subprocess.CalledProcessError) as error:
        tell(f"Without PostGraphile, which cannot be had here: {error}")
        return None
    await _make_functions(sockets)
    environment = {"NODE_ENV": "production", "GRAPHILE_ENV": "production", "PATH": os.environ["PATH"]}
    return Contender(
        "PostGraphile 5",
        lambda port, at: [str(node.folder / "node"), str(place / "serve.mjs"), str(port), at],
        _ask,
        _unwrap,
        lambda _port, _sockets: environment,
    )
