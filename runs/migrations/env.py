"""Alembic's entry: runs the revisions on the connection that `runs.migrate` hands over."""

from alembic import context

from runs.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
