"""Who changed what of which guild."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE audit (
            id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            guild text NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            actor_type text NOT NULL CHECK (actor_type IN ('session', 'token', 'operator', 'system')),
            actor_id text NOT NULL,
            actor_name text NOT NULL,
            token_id text NOT NULL DEFAULT '',
            action text NOT NULL,
            details jsonb NOT NULL DEFAULT '{}'
        )
        """
    )
    op.execute("CREATE INDEX audit_guild ON audit (guild, id DESC)")
