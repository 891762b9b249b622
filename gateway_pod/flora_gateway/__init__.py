"""The gateway pod: the only holder of the bot token.

``shards``   connections to Discord: raw events in, sessions that survive this process
``fanout``   events out to the runtime pods: who gets what, buffers, acknowledgements
``rest``     scripts' calls to Discord: routes, scopes, rate limits
``server``   the HTTP side of all that
"""
