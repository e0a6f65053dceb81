"""What a listing says of itself, as codes that one index answers and one statement counts, and when it is open.

Of a confidential place only what hangs on its service is read: neither a ramp at its door nor hours that hang on the
house (D1). Codes come from what the records say in so many words; where they say nothing, the trait says "unsaid".
"""

from __future__ import annotations

MINUTES_OF_WEEK = 7 * 24 * 60

# "Three steps at the door; a ramp is laid when you call" is step-free by arrangement; "no ramp" is not.
_ACCESS = {
    "step_free": r"step.?free|ramp|wheelchair|sin escalones|rampa|silla de ruedas",
    "ground_floor": r"ground floor|first floor|planta baja",
    "accessible_washroom": r"accessible (washroom|restroom|bathroom|toilet)|ba[nñ]o accesible",
    "sign_language": r"sign language|\masl\M|lengua de se[nñ]as",
    "low_vision": r"braille|low vision|large print|baja visi[oó]n|letra grande",
    "service_animal": r"service (animal|dog)|animal(es)? de servicio|perro(s)? gu[ií]a",
    "quiet_space": r"quiet (room|space)|sala tranquila",
}
_DENIED = r"\m(no|not|without|sin acceso|inaccessible)\M[^.;,]*$"


def _access_cases() -> str:
    """One row of (code, whether it is said) for each code, over `told.said`, a sentence without denials."""
    return ", ".join(f"('{code}', told.said ~* '{pattern}')" for code, pattern in _ACCESS.items())


_FREE = r"free|no (charge|cost|fee)|without (charge|cost)|gratis|gratuit|sin costo"
COST = f"""
    left join lateral (
        select case
            when bool_or(free) then 'cost:free'
            when bool_or(sliding) then 'cost:sliding'
            when count(*) > 0 then 'cost:fee'
            else 'cost:unsaid' end as trait
          from (
            select coalesce(amount = 0, false) or concat_ws(' ', option, amount_description) ~* '{_FREE}' as free,
                   concat_ws(' ', option, amount_description) ~* 'sliding|income|escala' as sliding
              from cost_option
             where cost_option.service_id = listed.id and cost_option.gone_at is null
               and coalesce(cost_option.valid_to, 'infinity') >= current_date
            union all
            select said ~* '{_FREE}', said ~* 'sliding|income|escala'
              from (select concat_ws(' ', listed.fees_description, listed.fees) as said) service_says where said <> ''
          ) told
    ) cost on true"""  # noqa: S608 (our own patterns)

ACCESS = f"""
    left join lateral (
        select array_agg(distinct 'access:' || found.code) filter (where found.said) as traits
          from accessibility
         cross join lateral regexp_split_to_table(
            concat_ws('. ', accessibility.description, accessibility.details), '[.;]') as sentence
         cross join lateral (select regexp_replace(sentence, '{_DENIED}', '', 'i') as said) told
         cross join lateral (values {_access_cases()}) as found (code, said)
         where not listed.confidential and accessibility.location_id = listed.place_id
           and accessibility.gone_at is null
    ) access on true"""  # noqa: S608 (our own patterns)

_MINUTE = "(split_part(left({time}, 5), ':', 1)::int * 60 + split_part(left({time}, 5), ':', 2)::int)"
_OPENS = f"coalesce({_MINUTE.format(time='schedule.opens_at')}, 0)"
# "23:59" is how many write midnight.
_CLOSES = f"""(case when schedule.closes_at is null or schedule.closes_at ~ '^23:59' then 1440
                              else {_MINUTE.format(time="schedule.closes_at")} end)"""

# Weekly hours, the closest to the listing alone: its own, else its service's, else the place's. What recurs otherwise
# ("2MO", every other week, monthly) is not the same each week, and is said by nobody here.
_HANGS_ON = {
    "schedule.service_id = listed.id": "true",
    "schedule.location_id = listed.place_id": "not listed.confidential",
    "schedule.service_at_location_id = listed.service_at_location_id": "not listed.confidential",
}
_STATED = " union all ".join(
    f"""
                select listed.service_at_location_id as own, schedule.*
                  from listed join schedule on {hangs_on}
                 where schedule.gone_at is null and {may_tell}"""  # noqa: S608 (our own names)
    for hangs_on, may_tell in _HANGS_ON.items()
)
HOURS = f"""opening as (
        select own as service_at_location_id, array_agg(spans order by dates) as spans,
               array_agg(dates order by dates) as dates, min(offset_hours) as offset_hours
          from (
            select stated.own, stated.dates, range_agg(part.span) as spans, min(stated.offset_hours) as offset_hours
              from (
                select own, daterange(greatest(schedule.valid_from, schedule.dtstart),
                                      least(schedule.valid_to, schedule.until), '[]') as dates,
                       schedule.timezone as offset_hours, day.start_minute + {_OPENS} as opens,
                       day.start_minute + {_CLOSES} + case when {_CLOSES} <= {_OPENS} then 1440 else 0 end as closes,
                       rank() over (partition by own order by schedule.service_at_location_id is null,
                                    schedule.service_id is null) as place
                  from ({_STATED}) schedule
                  join (values ('MO', 0), ('TU', 1440), ('WE', 2880), ('TH', 4320), ('FR', 5760), ('SA', 7200),
                               ('SU', 8640)) as day (code, start_minute)
                    on schedule.freq = 'DAILY' or day.code = any (string_to_array(schedule.byday, ','))
                 where coalesce(schedule.freq, 'WEEKLY') in ('WEEKLY', 'DAILY')
                   and coalesce(schedule.interval, 1) = 1 and coalesce(schedule.byday, '') !~ '[0-9]'
                   and coalesce(schedule.opens_at, schedule.closes_at) is not null
                   and coalesce(greatest(schedule.valid_from, schedule.dtstart)
                                <= least(schedule.valid_to, schedule.until), true)
              ) stated
             cross join lateral (values
                (int4range(opens, least(closes, {MINUTES_OF_WEEK}))),
                (int4range(0, greatest(closes - {MINUTES_OF_WEEK}, 0)))) as part (span)
             where stated.place = 1
             group by stated.own, stated.dates
          ) weekly
         group by own
    )"""  # noqa: S608 (our own numbers)

HOUSEHOLD = r"""
    left join lateral (
        select max(attribute.value::int) as maximum
          from attribute join taxonomy_term on taxonomy_term.id = attribute.taxonomy_term_id
         where attribute.link_entity = 'service' and attribute.link_id = listed.id and attribute.gone_at is null
           and taxonomy_term.code = 'household_size' and attribute.value ~ '^\d{1,2}$'
    ) household on true"""

# The place's own zone where it is public, else the zone of the area covered, else the offset of the hours themselves.
TIME_ZONE = """coalesce(placed.time_zone, area_zones.time_zone,
        case when opening.offset_hours between -12 and 12 and opening.offset_hours = trunc(opening.offset_hours)
             then 'Etc/GMT' || case when opening.offset_hours <= 0 then '+' else '-' end
                  || abs(opening.offset_hours)::int end)"""

TRAITS = """
    array[
        case when 'serves_women' = any (codes) then 'gender:women' end,
        case when 'serves_men' = any (codes) then 'gender:men' end,
        case when 'serves_all_genders' = any (codes) then 'gender:any' end,
        case when not codes && array['serves_women', 'serves_men', 'serves_all_genders']
             then 'gender:unsaid' end,
        case when 'sign_language' = any (codes) then 'access:sign_language' end,
        case when cardinality(access_traits) = 0 and not 'sign_language' = any (codes)
             then 'access:unsaid' end,
        cost_trait,
        'hours:' || case when open_spans is null or zone is null then 'unsaid' else 'said' end
    ] || access_traits || area_cells
      || (select coalesce(array_agg('language:' || code), '{}') from unnest(languages_spoken) code
           where code !~ '[/0-9]')"""
