"""The SQL that the peers share: ReferralNet's own search, and by hand an inbox and an acceptance."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from benchmarks.journeys.network import made_id
from benchmarks.journeys.questions import FIRST_OF_INBOX
from referralnet.directory.free_text import understand
from referralnet.directory.places import surroundings
from referralnet.directory.ranking import REASONS
from referralnet.directory.search_parameters import Shape, planning
from referralnet.directory.search_query import DirectoryQuery, values
from referralnet.directory.search_sql import search_statement

SEARCH_SHAPE = Shape(("asked_categories", "words", "area"), ("categories", "words", "place", "not_tonight"), close=True)
_SEARCH, SEARCH_NAMES = search_statement(SEARCH_SHAPE)
SEARCH_NAMED = _SEARCH.text
"""With :names, for whoever numbers them otherwise."""
_COMPILED = _SEARCH.compile(dialect=dialect.dialect())  # type: ignore[no-untyped-call]
SEARCH = str(_COMPILED)
SEARCH_ORDER: list[str] = list(_COMPILED.positiontup or ())

_PAGE = """select page.service_at_location_id, page.distance_kilometers, page.reasons,
       array(select word from unnest(cast(:word_list as text[]), cast(:word_queries as tsquery[])) said (word, query)
              where e.words @@ query) as matched_words
  from page join directory_listing e on e.service_at_location_id = page.service_at_location_id
 order by page.rank desc, page.service_at_location_id desc"""
SEARCH_PAGE = text(SEARCH_NAMED[: SEARCH_NAMED.index("select page.*")] + _PAGE).bindparams(
    *_SEARCH._bindparams.values()  # noqa: SLF001 (SQLAlchemy has no public way to type the same parameters again)
)
"""The same search, for whoever reads by an ORM what belongs to the listings it finds."""

_STEMS = """(websearch_to_tsquery('english', {0}) || websearch_to_tsquery('english', unaccent({0}))
    || websearch_to_tsquery('spanish', {0}) || websearch_to_tsquery('spanish', unaccent({0})))"""
_PLANNING = planning("'force_generic_plan'")
WORDS = f"select {_PLANNING}, {_STEMS.format('$1::text')}::text as words_query"
"""One word alone is asked for, so the query of all words is that of the word."""

_INBOX = f"""
select r.id, upper(r.status) as status, upper(r.outcome) as outcome, upper(r.source_agency_kind) as source_agency_kind,
       case when r.accepted_at is not null then source.name end as source_agency_name,
       target.name as target_agency_name, listing.service_name, listing.organization_name, r.requested_at,
       r.answer_due_at, r.held_capacity_id is not null as holds_unit,
       case when r.status = 'on_hold' then (select count(*)::int from referral ahead
          where ahead.service_at_location_id = r.service_at_location_id and ahead.status = 'on_hold'
            and (ahead.changed_at, ahead.id) <= (r.changed_at, r.id)) end as waitlist_position,
       colleague.display_name as assignee_name, r.service_type, r.urgency, r.region, r.language, r.household_size,
       r.age_band, r.accessibility, r.immigration_sensitive,
       {{events}} as events
  from referral r
  join agency source on source.id = r.source_agency_id
  join agency target on target.id = r.target_agency_id
  left join directory_listing listing on listing.service_at_location_id = r.service_at_location_id
  left join referral_assignee assigned on assigned.referral_id = r.id
  left join member colleague on colleague.id = assigned.member_id
 where r.id in (select id from referral where target_agency_id = (select acting_agency())
                 order by requested_at desc, id desc limit {FIRST_OF_INBOX})
 order by r.requested_at desc, r.id desc
"""  # noqa: S608 (our own number)

_BY_AGENCY = """case when e.by_agency_id = r.target_agency_id then target.name
            when r.accepted_at is not null then source.name end"""
INBOX = _INBOX.format(
    events=f"""(select json_agg(json_build_object('sequence', e.sequence, 'event', upper(e.event), 'toStatus',
            upper(e.to_status), 'at', e.at, 'byAgencyName', {_BY_AGENCY}) order by e.sequence)
          from referral_event e where e.referral_id = r.id)::text"""  # noqa: S608 (fixed parts)
)
INBOX_OF_ROWS = _INBOX.format(
    events=f"""array(select row(e.sequence, upper(e.event), upper(e.to_status), {_BY_AGENCY},
            e.at)::benchmark_api.referral_step from referral_event e where e.referral_id = r.id order by e.sequence)"""  # noqa: S608 (fixed parts)
)
"""With events as rows of a type, for PostGraphile."""

# $1 the referral, $2 the key, $3 its content's hash, $4 now. The event, what is told and what waits is written by the
# triggers of the referral. A key that was used before performs nothing.
ACCEPTING = """
with kept as (
  insert into idempotency_key (member_id, key, mutation, content_hash, result_id)
  values (acting_member(), $2::text, 'acceptReferral', $3::bytea, $1::uuid) on conflict do nothing returning 1
), locked as (
  select id, version, hold_routing_plan(id) as filled from referral
   where id = $1::uuid and status in ('requested', 'on_hold') and target_agency_id = (select acting_agency()) for update
), counted as (
  select exists (select from service_capacity c join service_at_location at on at.service_id = c.service_id
                   join referral on referral.service_at_location_id = at.id
                  where referral.id = $1::uuid and c.gone_at is null) as counts_units
), moved as (
  update referral r
     set status = 'accepted', business_status = '3.0', status_reason = null, last_event = 'accept',
         changed_at = $4::timestamptz, accepted_at = $4::timestamptz, version = r.version + 1
    from locked, kept, counted
   where r.id = locked.id and r.version = locked.version and not locked.filled and not counts_units
  returning r.id, r.source_agency_id, r.target_agency_id, r.service_at_location_id, r.service_type, r.urgency,
            r.household_size, r.version
), told as (
  insert into audit_event (id, agency_id, member_id, action, subject_kind, subject_id, detail)
  select gen_random_uuid(), acting_agency(), acting_member(), 'referral_changed', 'referral', id,
         '{"event": "accept", "status": "accepted"}' from moved
)
"""
_STEPS = """((select json_agg(json_build_object('sequence', e.sequence, 'event', upper(e.event), '{to_status}',
              upper(e.to_status), '{by_agency_name}', case when e.by_agency_id = moved.target_agency_id
              then target.name else source.name end) order by e.sequence)
          from referral_event e where e.referral_id = moved.id)::jsonb
         || jsonb_build_object('sequence', moved.version - 1, 'event', 'ACCEPT', '{to_status}', 'ACCEPTED',
              '{by_agency_name}', target.name))"""
ACCEPTED = """
  from moved
  join agency source on source.id = moved.source_agency_id
  join agency target on target.id = moved.target_agency_id
  left join directory_listing listing on listing.service_at_location_id = moved.service_at_location_id
"""
_TOLD = _STEPS.format(to_status="toStatus", by_agency_name="byAgencyName")
STEPS_OF_ROWS = _STEPS.format(to_status="to_status", by_agency_name="by_agency_name")
"""As a set of rows takes them, for PostGraphile."""
ACCEPT = f"""{ACCEPTING}
select moved.id, source.name as source_agency_name, target.name as target_agency_name, listing.service_name,
       moved.service_type, moved.urgency, moved.household_size, {_TOLD}::text as events {ACCEPTED}"""

# By itself, behind the acceptance: a trigger closes the tasks that are open when that statement ends.
WAITS = """
insert into task (id, agency_id, kind, subject_kind, subject_id, detail, opened_at)
select gen_random_uuid(), target_agency_id, 'arrange_service', 'referral', id, '{}', $2::timestamptz
  from referral where id = $1::uuid and status = 'accepted' on conflict do nothing
"""

FOR_CODES = [reason.code if reason.points > 0 else None for reason in REASONS]
AGAINST_CODES = [reason.code if reason.points < 0 else None for reason in REASONS]


def search_values(search: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the search statement by name, but those of its words."""
    query = DirectoryQuery(
        words=search["words"],
        categories=tuple(search["categories"]),
        zip_code=search["zipCode"],
        within_kilometers=search["withinKilometers"],
    )
    area = surroundings(search["zipCode"], search["withinKilometers"])
    given = values(query, understand(query.words), area, datetime.now(UTC))
    return {name: given[name] for name in SEARCH_NAMES if name in given} | {"word_list": [query.words]}


def codes(reasons: list[bool], named: list[str | None]) -> list[str]:
    """The codes of the reasons that apply, of those that are named."""
    return [code for code, applies in zip(named, reasons, strict=True) if applies and code is not None]


def acting(agency: int) -> str:
    """How a transaction begins: in one message, with whoever acts."""
    return f"begin; select set_config('referralnet.member', '{_member(agency)}', true)"


def _member(agency: int) -> UUID:
    return made_id("member", agency)


def numbered(statement: str, names: dict[str, str]) -> str:
    """A statement with $1, $2, … in the place of :names or other $numbers."""
    return re.sub(r"(?<!:):([a-z_]+)\b|\$(\d+)", lambda found: names[found[1] or found[2]], statement)
