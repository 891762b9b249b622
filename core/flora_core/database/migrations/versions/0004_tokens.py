"""Who people are, and their API tokens."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE people (
            user_id text PRIMARY KEY,
            username text NOT NULL,
            global_name text,
            avatar text,
            guilds text[] NOT NULL DEFAULT '{}',
            seen_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE api_tokens (
            token_id text PRIMARY KEY CHECK (token_id ~ '^[a-z2-7]{16}$'),
            user_id text NOT NULL REFERENCES people (user_id) ON DELETE CASCADE,
            label text NOT NULL DEFAULT '',
            login boolean NOT NULL DEFAULT false,
            secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
            guilds text[],
            scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'deploy', 'kv', 'secrets']),
            created_at timestamptz NOT NULL DEFAULT now(),
            last_used_at timestamptz,
            expires_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX api_tokens_user ON api_tokens (user_id, created_at DESC, token_id)")
