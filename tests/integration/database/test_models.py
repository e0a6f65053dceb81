"""The models in the code and the tables that the migrations make are the same."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from referralnet.database.acting import Operator
from referralnet.database.tables import Base
from referralnet.database.transactions import Database

AREAS = ("audit", "identity", "directory", "survivors", "consent", "messaging", "appointments", "referrals", "partners")
# Written and read in SQL alone: a model would be a second truth that nothing uses.
WITHOUT_MODEL = {
    "alembic_version", "directory_entry", "directory_name", "directory_word", "referral_transition",
    "sending_permit", "job_look", "listing", "listing_own", "listing_change", "directory_duplicate",
    "directory_duplicate_decision",
}  # fmt: skip
# Narrower or wider whole numbers than the model's; no value of theirs comes near a limit.
OTHER_WIDTH = {("text_message", "priority"), ("text_message", "fence")}


def import_every_model() -> None:
    for package in ("encryption", *AREAS):
        path = importlib.import_module(f"referralnet.{package}").__path__
        for module in pkgutil.iter_modules(path, f"referralnet.{package}."):
            importlib.import_module(module.name)


def differences(connection: Connection, metadata: sa.MetaData) -> list[Any]:
    """What would have to change for the tables to be as the models say, in columns, types and nullability."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_schemas": True, "include_name": _is_ours}
    )
    return [change for change in flatten(compare_metadata(context, metadata)) if is_of_a_column(change)]


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    if kind == "table":
        return name not in WITHOUT_MODEL
    return kind != "schema" or name in {None, "keystore"}


def flatten(changes: list[Any]) -> Iterator[Any]:
    for change in changes:
        yield from flatten(change) if isinstance(change, list) else [change]


def is_of_a_column(change: Any) -> bool:
    """Constraints, indexes and defaults stand in the migrations alone, where the database keeps them."""
    kind = change[0]
    if kind == "modify_type" and change[2:4] in OTHER_WIDTH:
        return False
    return kind in {"add_table", "remove_table", "add_column", "remove_column", "modify_type", "modify_nullable"}


async def test_every_column_has_the_name_type_and_nullability_of_its_model(owner: Database) -> None:
    import_every_model()
    async with owner.transaction(Operator()) as session:
        found = await (await session.connection()).run_sync(differences, Base.metadata)
    assert found == []


async def test_a_model_that_differs_is_noticed(owner: Database) -> None:
    import_every_model()
    changed = sa.MetaData()
    for table in Base.metadata.tables.values():
        table.to_metadata(changed)
    agency = changed.tables["agency"]
    agency.append_column(sa.Column("planted", sa.Text()))
    agency.c.name.nullable = True
    agency.c.active.type = sa.Integer()
    changed.remove(changed.tables["audit_link"])
    async with owner.transaction(Operator()) as session:
        found = await (await session.connection()).run_sync(differences, changed)
    kinds = {change[0] for change in found}
    assert kinds == {"add_column", "modify_nullable", "modify_type", "remove_table"}
