"""What an agency keeps of its listing, an import leaves as it is, and says so, until the agency gives it back.

The rows of an import are mended before they are merged, so that counting, history and taking back all see the same.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.listing_change import TEXT_PARTS
from referralnet.directory.listing_rows import LANGUAGES, PHONES, SCHEDULES
from referralnet.directory.problems import Problems, Severity

# Of a table whose rows hang on a service: the part of the listing they are, and which of them are the service's own.
ROW_PARTS = {
    SCHEDULES.table: (SCHEDULES.told_as, SCHEDULES.placeless),
    LANGUAGES.table: (LANGUAGES.told_as, LANGUAGES.placeless),
    PHONES.table: (PHONES.told_as, PHONES.placeless),
    "service_capacity": ("capacity", "true"),
}

_ANYTHING_KEPT = """
    select exists (select from listing_own own join service on service.id = own.service_id
                    where service.package = :package and own.given_back_at is null)
"""
_OFFERED_TEXT = """
    update listing_own own set offered = staged.{part}, offered_at = :now
      from pg_temp.staged join service on service.id = staged.id
     where own.service_id = staged.id and own.part = '{part}' and own.given_back_at is null
"""
_KEEP_TEXT = """
    update pg_temp.staged set {part} = service.{part}, assured_date = service.assured_date,
           assurer_email = service.assurer_email, last_modified = service.last_modified
      from service join listing_own own on own.service_id = service.id and own.part = '{part}'
           and own.given_back_at is null
     where staged.id = service.id
"""
_OFFERED_ROWS = """
    update listing_own own set offered_at = :now,
           offered = (select count(*) from pg_temp.staged where staged.service_id = own.service_id and {own_rows})
      from service
     where own.part = :part and own.given_back_at is null and service.id = own.service_id and service.package = :package
"""
_WITHOUT_ROWS = """
    delete from pg_temp.staged using listing_own own
     where own.part = :part and own.given_back_at is null and own.service_id = staged.service_id and {own_rows}
"""
_KEEP_ROWS = """
    insert into pg_temp.staged ({columns}) select {columns} from {table} t
     where t.package = :package and t.gone_at is null and {own_rows}
       and t.service_id in (select service_id from listing_own where part = :part and given_back_at is null)
"""
_TOLD = """
    select service.source_id, own.part, own.offered from listing_own own join service on service.id = own.service_id
     where service.package = :package and own.offered_at = :now and own.given_back_at is null
       and (own.part <> all (:texts) or own.offered is distinct from case own.part
            when 'name' then service.name when 'description' then service.description
            when 'eligibility_description' then service.eligibility_description
            when 'application_process' then service.application_process else service.status end)
     order by service.source_id, own.part
"""


async def keep_own_words(
    session: AsyncSession, table: str, package: str, names: list[str], *, now: dt.datetime
) -> None:
    """Put what agencies keep in place of what the staged rows of `table` bring; `names` are the staged columns.

    What would have come is remembered beside it, for the agency to compare (listing_own.offered).
    """
    if table != "service" and table not in ROW_PARTS:
        return
    if not await session.scalar(text(_ANYTHING_KEPT), {"package": package}):
        return
    if table == "service":
        for part in TEXT_PARTS:
            await session.execute(text(_OFFERED_TEXT.format(part=part)), {"now": now})
            await session.execute(text(_KEEP_TEXT.format(part=part)))
    else:
        part, own_rows = ROW_PARTS[table]
        columns = ", ".join(names)
        values = {"part": part, "package": package}
        await session.execute(text(_OFFERED_ROWS.format(own_rows=own_rows)), {**values, "now": now})
        await session.execute(text(_WITHOUT_ROWS.format(own_rows=own_rows)), {"part": part})
        await session.execute(text(_KEEP_ROWS.format(columns=columns, table=table, own_rows=own_rows)), values)


async def tell_kept(session: AsyncSession, package: str, problems: Problems, *, now: dt.datetime) -> None:
    """A note for each part that an agency keeps and the package would have had otherwise."""
    told = await session.execute(text(_TOLD), {"package": package, "now": now, "texts": list(TEXT_PARTS)})
    for source_id, part, _offered in told:
        message = f"{part} of service {source_id} is kept as its agency wrote it"
        hint = "The agency may give it back; the next import then brings it."
        problems.add(Severity.NOTE, "services.csv", 0, part, "", message, hint)
