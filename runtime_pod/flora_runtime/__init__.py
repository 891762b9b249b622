"""A runtime pod: one supervisor process, and the worker processes that hold the guilds' isolates."""
