"""Secrets of guilds, encrypted, and which guilds' changed when."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE guild_secrets (
            guild text NOT NULL,
            name text NOT NULL CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$'),
            key_id text NOT NULL,
            nonce bytea NOT NULL CHECK (length(nonce) = 12),
            ciphertext bytea NOT NULL,
            placeholder text NOT NULL UNIQUE,
            allowed_hosts text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (guild, name)
        )
        """
    )
    op.execute("CREATE INDEX guild_secrets_key ON guild_secrets (key_id, guild, name)")
    # One row a guild that ever had secrets. Whoever writes holds a lock, so that versions appear in order.
    op.execute(
        """
        CREATE TABLE guild_secret_changes (
            guild text PRIMARY KEY,
            version bigint NOT NULL
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX guild_secret_changes_version ON guild_secret_changes (version)")
