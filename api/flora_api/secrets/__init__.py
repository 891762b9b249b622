"""Guilds' secrets: encrypted in Postgres, listed without their values, and taken to the pods that need them.

``keys`` seals and opens values (pure); ``rules`` what may be stored (pure); ``store`` Postgres
``changes`` which guilds' secrets changed, whichever replica changed them
``delivery`` the stream to the runtime pods; ``routes`` what people ask for; ``rotate`` the change of a key
"""
