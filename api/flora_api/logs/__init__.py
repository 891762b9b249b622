"""Guilds' logs: taken from the pods, kept in Redis for a while, searched, and followed as they come.

``lines`` a line as it is shown, and which are asked for (pure); ``store`` Redis Streams, one a guild
``intake`` the pods' way in, on the internal port; ``notes`` the API's own
``followers`` one reader of Redis for all who follow here; ``sse`` what a follower is sent; ``routes`` HTTP
"""
