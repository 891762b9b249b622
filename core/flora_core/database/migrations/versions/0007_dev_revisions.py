"""Revisions of what `flora dev` watches."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE revisions
            DROP CONSTRAINT revisions_source_check,
            ADD CONSTRAINT revisions_source_check
                CHECK (source IN ('cli', 'webui', 'bootstrap', 'api', 'kubectl', 'dev', 'unknown'))
        """
    )
