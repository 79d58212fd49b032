"""Alembic's entry point: runs the versions on the connection that day2.ledger.migrate opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="ledger")
context.run_migrations()
