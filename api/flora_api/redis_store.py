"""Redis as the API uses it: few connections, short deadlines, and what its being away means."""

from __future__ import annotations

from typing import Final, TypeAlias

from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from flora_core.errors import InvalidSettings

CONNECTIONS: Final = 32
SECONDS: Final = 2.0
"""For one call, and for a connection."""

AWAY: Final = (RedisError, TimeoutError, OSError)
"""What calls raise when Redis does not answer."""

Store: TypeAlias = Redis


def open_redis(url: SecretStr) -> Store:
    """The Redis at ``url``, which need not be there yet; ``aclose`` it. Raises InvalidSettings."""
    text = url.get_secret_value()
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise InvalidSettings("API_REDIS_URL: should be redis://:password@host:6379/0")
    try:
        pool = BlockingConnectionPool.from_url(
            text,
            max_connections=CONNECTIONS,
            timeout=SECONDS,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
        )
    except ValueError:  # whose text has the URL in it
        raise InvalidSettings("API_REDIS_URL: should be redis://:password@host:6379/0") from None
    return Redis.from_pool(pool)
