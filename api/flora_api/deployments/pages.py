"""Pages of the history as JSON that Postgres writes: they cost this process next to nothing.

What a revision looks like is ``models.RevisionShown``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

NEWEST: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=(1 << 128) - 1))
"""Behind this are all."""

_AT: Final = """to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

_SHOWN: Final = f"""json_strip_nulls(json_build_object(
    'id', id, 'guild_id', guild, 'entry', entry, 'status', status, 'deployed_at', {_AT},
    'deploy_source', source, 'message', message,
    'actor', json_build_object('type', actor_type, 'user_id', actor_id, 'username', actor_name),
    'error_code', nullif(error_code, ''), 'error_message', nullif(error, ''),
    'base_revision_id', base_revision, 'change_summary', change_summary, 'client_bundle', client_bundle
))::text"""

SHOWN_PAGES: Final = f"""
    SELECT CASE WHEN count <= of_limit THEN '{{"revisions":[' || coalesce(rows, '') || ']}}'
        ELSE '{{"revisions":[' || rows || '],"cursor":"' || last || '"}}' END
    FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::uuid[]) WITH ORDINALITY
        AS asked (of_guild, of_limit, of_time, of_id, place)
    LEFT JOIN LATERAL (
        SELECT count(*), string_agg(row, ',' ORDER BY number) FILTER (WHERE number <= of_limit) AS rows,
            min(mark) FILTER (WHERE number = of_limit) AS last
        FROM (
            SELECT {_SHOWN} AS row, {_AT} || '_' || id AS mark,
                row_number() OVER (ORDER BY created_at DESC, id DESC) AS number
            FROM revisions WHERE guild = of_guild AND (created_at, id) < (of_time, of_id)
            ORDER BY created_at DESC, id DESC LIMIT of_limit + 1
        ) AS newest
    ) AS page ON true
    ORDER BY place
"""  # noqa: S608  names of columns
