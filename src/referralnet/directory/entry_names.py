"""Names to complete what somebody types, and the words they are made of, to mend what is misspelled.

All of them are public: names of services and organizations (decision 0021) and of categories; never of a place.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

WORD_LENGTH_MIN = 4

_FOLD = r"regexp_replace(lower(unaccent(trim({name}))), '\s+', ' ', 'g')"
_DROP = ("delete from directory_name where package = :package", "delete from directory_word where package = :package")
_NAMES = f"""
    insert into directory_name (package, kind, folded, language, name, code, target_id, uses)
    select :package, kind, folded, language, min(name), min(code),
           case when count(distinct target_id) = 1 then min(target_id::text)::uuid end, count(*)
      from (
        select distinct 'service' as kind, service_name as name, '' as language, null as code, service_id as target_id
          from directory_entry where package = :package
        union all
        select distinct 'organization', organization_name, '', null, organization_id
          from directory_entry where package = :package
        union all
        select 'category', name, coalesce(language, ''), code, null from taxonomy_term
         where package = :package and gone_at is null and code is not null
           and code not in ('confidential_location', 'household_size')
      ) named cross join lateral (select left({_FOLD.format(name="name")}, 500)) as folding (folded)
     where folded <> ''
     group by kind, folded, language
"""  # noqa: S608 (our own names)
_WORDS = rf"""
    insert into directory_word (package, word, uses)
    select :package, word, count(*)
      from directory_name cross join lateral regexp_split_to_table(folded, '(\W|\d|_)+') word
     where package = :package and length(word) between {WORD_LENGTH_MIN} and 40
     group by word
"""  # noqa: S608 (our own names)


async def rewrite_names(session: AsyncSession, package: str) -> None:
    """Make the package's names and words those of its search rows and terms (owner role)."""
    for statement in (*_DROP, _NAMES, _WORDS):
        await session.execute(text(statement), {"package": package})
