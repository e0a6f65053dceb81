"""Which columns an import fills, read off the tables themselves, and how each cell becomes a value."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from asyncpg.pgproto.pgproto import UUID  # the driver's own: made and sent three times as fast, and otherwise the same
from sqlalchemy import Table

from referralnet.database.tables import Base
from referralnet.directory import tables as _tables  # noqa: F401 (declares the tables)
from referralnet.directory.formats import LINKS
from referralnet.directory.values import BY_TYPE, SPECIAL

# Kept by ReferralNet itself; no package brings them.
OWN_COLUMNS = {"id", "package", "source_id", "gone_at", "confidential", "agency_id", "held", "near"}
ANY_TABLE = "*"
NAMESPACE = uuid.UUID("5a1c9f0e-7d52-5b0e-9c8e-3d9a6f1f2b47")


@dataclass(frozen=True, slots=True)
class Column:
    """One HSDS column: `reference` is the table it names a row of, `read` turns text into a value or is None."""

    name: str
    required: bool
    reference: str | None
    read: Callable[[str], object] | None


def table_of(name: str) -> Table:
    return Base.metadata.tables[name]


@lru_cache(maxsize=64)
def columns_of(table: str) -> tuple[Column, ...]:
    """The columns a package may fill, in its order. What hangs on anything names ANY_TABLE (formats.LINKS)."""
    found = []
    for column in table_of(table).columns:
        if column.name in OWN_COLUMNS:
            continue
        reference = next((key.column.table.name for key in column.foreign_keys), None)
        if (table, column.name) in LINKS:
            reference = ANY_TABLE
        read = SPECIAL.get((table, column.name)) or BY_TYPE.get(column.type.python_type)
        found.append(Column(column.name, not column.nullable, reference, None if reference else read))
    return tuple(found)


@lru_cache(maxsize=256)
def ids_of(package: str, table: str) -> Callable[[str], UUID]:
    """Makes the ids of a package's rows of one table: UUIDs of version 5 (RFC 9562) of what tells each row apart."""
    begun = hashlib.sha1(NAMESPACE.bytes + f"{package}\x1f{table}\x1f".encode(), usedforsecurity=False)

    def made(source_id: str) -> UUID:
        hashed = begun.copy()
        hashed.update(source_id.encode())
        digest = bytearray(hashed.digest()[:16])
        digest[6] = digest[6] & 0x0F | 0x50
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes(digest))

    return made


def record_id(package: str, table: str, source_id: str) -> UUID:
    """The same record has the same id in every import."""
    return ids_of(package, table)(source_id)
