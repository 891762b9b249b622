"""Which sources a bundle was made from."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE bundle_sources (
            sources text PRIMARY KEY CHECK (sources ~ '^[0-9a-f]{64}$'),
            bundle text NOT NULL REFERENCES bundles (sha256) ON DELETE CASCADE,
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX bundle_sources_bundle ON bundle_sources (bundle)")
