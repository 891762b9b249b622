"""Connections to Discord's gateway, one a shard, by discord.py's websocket with the event path made raw."""
