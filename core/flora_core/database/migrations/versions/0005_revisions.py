"""What was deployed to which guild, and projects that are bundled here."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE revisions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            guild text NOT NULL,
            status text NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
            entry text NOT NULL,
            source text NOT NULL CHECK (source IN ('cli', 'webui', 'bootstrap', 'api', 'kubectl', 'unknown')),
            message text NOT NULL DEFAULT '',
            actor_type text NOT NULL CHECK (actor_type IN ('session', 'token', 'operator', 'system')),
            actor_id text NOT NULL DEFAULT '',
            actor_name text NOT NULL DEFAULT '',
            digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
            files bytea,
            bundle text CHECK (bundle ~ '^[0-9a-f]{64}$'),
            inline boolean NOT NULL,
            client_bundle boolean NOT NULL DEFAULT false,
            forced boolean NOT NULL DEFAULT false,
            observed boolean NOT NULL DEFAULT false,
            base_revision uuid,
            change_summary jsonb,
            error_code text NOT NULL DEFAULT '',
            error text NOT NULL DEFAULT '',
            error_stack text NOT NULL DEFAULT '',
            object_uid text,
            generation bigint,
            pod text NOT NULL DEFAULT '',
            apply_until timestamptz NOT NULL DEFAULT now(),
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            finished_at timestamptz,
            CHECK ((status = 'pending') = (finished_at IS NULL)),
            CHECK ((object_uid IS NULL) = (generation IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX revisions_history ON revisions (guild, created_at DESC, id DESC)")
    op.execute(
        "CREATE INDEX revisions_good ON revisions (guild, created_at DESC, id DESC) WHERE status = 'success'"
    )
    op.execute("CREATE INDEX revisions_pending ON revisions (observed, created_at) WHERE status = 'pending'")
    op.execute(
        """
        CREATE UNIQUE INDEX revisions_one_deploy ON revisions (guild)
        WHERE status = 'pending' AND NOT observed
        """
    )
    op.execute(
        "CREATE INDEX revisions_object ON revisions (object_uid, generation DESC, created_at DESC)"
        " WHERE object_uid IS NOT NULL"
    )
    op.execute(
        """
        CREATE UNIQUE INDEX revisions_once_observed ON revisions (object_uid, generation)
        WHERE observed
        """
    )
    op.execute("CREATE INDEX revisions_bundle ON revisions (bundle) WHERE bundle IS NOT NULL")
    op.execute(
        """
        CREATE TABLE builds (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            guild text NOT NULL,
            entry text NOT NULL,
            status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
            logs text[] NOT NULL DEFAULT '{}',
            error text NOT NULL DEFAULT '',
            files bytea,
            bundle text CHECK (bundle ~ '^[0-9a-f]{64}$'),
            alive_until timestamptz NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            started_at timestamptz,
            finished_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX builds_guild ON builds (guild) WHERE status IN ('queued', 'running')")
    op.execute("CREATE INDEX builds_unfinished ON builds (alive_until) WHERE status IN ('queued', 'running')")
    op.execute("CREATE INDEX builds_created ON builds (created_at)")
    op.execute("CREATE INDEX builds_bundle ON builds (bundle) WHERE bundle IS NOT NULL")
