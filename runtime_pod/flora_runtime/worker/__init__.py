"""A worker process: V8 isolates, one a guild, and nothing else.

No network, no credentials, no settings of its own: everything comes and goes through one pipe. From the
bottom up:

``racer``    the C functions of mini-racer's library, and V8's own that it exports
``guard``    per-isolate limits through V8's hooks: memory, endless turns, fatal errors
``reactor``  waits for isolates and the pipe without a lock that guest code could hold
``isolate``  one V8 isolate: boot, one turn at a time, close
``script``   one guild's script in its isolate: events in order, ops out, limits, outcomes
``stacks``   V8 stacks to the author's own lines
``worker``   all of them, taking turns
"""
