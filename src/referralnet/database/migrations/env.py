"""Alembic's environment: the connection, its transaction and its lock come from `referralnet.database.migrating`."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# A migration that waits for a lock makes everybody behind it wait: give up early and leave the network running.
connection.execute(text("set local lock_timeout = '5s'"))
connection.execute(text("set local statement_timeout = '300s'"))
context.configure(connection=connection, transaction_per_migration=False)
context.run_migrations()
