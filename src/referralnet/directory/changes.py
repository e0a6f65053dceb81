"""What a package's newest import changed, row by row, so that it can be told and taken back.

Kept for the newest import alone: the next one of the package that changes anything throws it away. A package's first
import changes nothing and is remembered as such, without a million rows that say so.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_BEFORE = """
    insert into directory_change (import_id, table_name, row_id, before, after_digest)
    select cast(:import_id as uuid), cast(:table as text), t.id, to_jsonb(t), ''
"""
UPDATED_BEFORE = _BEFORE + "from {table} t join pg_temp.differing on differing.id = t.id where not differing.fresh"
GONE_BEFORE = _BEFORE + "from {table} t where {gone}"
NEW = """
    insert into directory_change (import_id, table_name, row_id, before, after_digest)
    select cast(:import_id as uuid), cast(:table as text), id, null, '' from pg_temp.differing where fresh
"""
# Written by ReferralNet beside a row, or by accepting a referral: no change of the listing.
DIGEST = "md5((to_jsonb(t) - array['confidential', 'agency_id', 'held', 'near'])::text)"


async def digest_changes(session: AsyncSession, import_id: UUID, table: str) -> None:
    """Write down what the import made of the rows it changed."""
    statement = f"""
        update directory_change c set after_digest = {DIGEST} from {table} t
         where c.import_id = :import_id and c.table_name = :table and t.id = c.row_id
    """  # noqa: S608 (our own names)
    await session.execute(text(statement), {"import_id": import_id, "table": table})


async def forget_earlier_changes(session: AsyncSession, package: str, import_id: UUID) -> None:
    """Throw away what older imports of the package changed."""
    await session.execute(
        text("""
            delete from directory_change
             where import_id in (select id from directory_import where package = :package and id <> :import_id)
        """),
        {"package": package, "import_id": import_id},
    )
