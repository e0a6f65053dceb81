"""Rows that hang on a listing's service: replaced as a set, the same ones kept, so that history tells what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.columns import record_id


@dataclass(frozen=True, slots=True)
class Changed:
    """One changed field of one record, as HSDS metadata tells it."""

    action: str
    resource_type: str
    resource_id: UUID
    field_name: str
    previous_value: str | None
    replacement_value: str | None


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows of one table on the service itself: none of a place's, which may be hidden (D1)."""

    table: str
    columns: tuple[str, ...]
    told_as: str
    """The field name in the history."""
    placeless: str


SCHEDULES = RowSet(
    "schedule",
    ("byday", "opens_at", "closes_at", "valid_from", "valid_to", "freq"),
    "schedules",
    "location_id is null and service_at_location_id is null",
)
LANGUAGES = RowSet("language", ("code",), "languages", "location_id is null and phone_id is null")
PHONES = RowSet(
    "phone",
    ("number", "extension"),
    "phone",
    "location_id is null and service_at_location_id is null and contact_id is null and organization_id is null",
)


async def replace_rows(
    session: AsyncSession,
    kind: RowSet,
    service_id: UUID,
    package: str,
    wanted: Iterable[Mapping[str, object]],
    *,
    now: datetime,
) -> list[Changed]:
    """Make the service's rows those `wanted`, each a value by column; what is there already stays."""
    stored = await session.execute(
        text(f"""
            select id, {", ".join(kind.columns)} from {kind.table}
             where service_id = :service and gone_at is null and {kind.placeless} order by id
        """),  # noqa: S608 (our own names)
        {"service": service_id},
    )
    there = {row.id: tuple(row)[1:] for row in stored}
    asked = [tuple(row.get(column) for column in kind.columns) for row in wanted]
    ended = {row_id: values for row_id, values in there.items() if values not in asked}
    added = [values for values in dict.fromkeys(asked) if values not in there.values()]
    changed = []
    for row_id, values in ended.items():
        ending = text(f"update {kind.table} set gone_at = :now where id = :id")  # noqa: S608 (our own names)
        await session.execute(ending, {"now": now, "id": row_id})
        changed.append(Changed("delete", kind.table, row_id, kind.told_as, _told(values), None))
    for values in added:
        row_id = await _add(session, kind, service_id, package, values)
        changed.append(Changed("create", kind.table, row_id, kind.told_as, None, _told(values)))
    return changed


async def _add(session: AsyncSession, kind: RowSet, service_id: UUID, package: str, values: tuple[object, ...]) -> UUID:
    source_id = f"own:{uuid4()}"
    row: dict[str, Any] = {
        "id": record_id(package, kind.table, source_id),
        "package": package,
        "source_id": source_id,
        "service_id": service_id,
        **dict(zip(kind.columns, values, strict=True)),
    }
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    await session.execute(text(f"insert into {kind.table} ({names}) values ({places})"), row)  # noqa: S608 (our own names)
    return UUID(str(row["id"]))


def _told(values: tuple[object, ...]) -> str:
    return " ".join(str(value) for value in values if value is not None)
