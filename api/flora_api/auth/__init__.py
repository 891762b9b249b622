"""Who asks, and what he may do.

``discord``    OAuth2 at Discord, and what a person lets us see there
``logins``     a login under way: its state, its cookie, its verifier; codes for CLIs
``sessions``   people who are logged in, in Redis
``tokens``     API tokens, in Postgres
``people``     who people are, for tokens and lists
``standing``   how somebody stands in a guild, as the gateway tells
``guard``      all of that as the ``Guard`` that routes ask
``routes``     ``/auth``, ``/tokens``, ``/guilds``, ``/audit``
"""
