"""The environment in which Alembic runs the migrations of every service; `kit.migrate` hands it the connection."""

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="migrations", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
