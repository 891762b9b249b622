"""What scripts keep: one LevelDB a pod, with a guild's stores and keys in it.

``limits``      how long, how large, how often
``calls``       what a script may ask, as typed values
``layout``      keys and records as bytes
``view``        reads and not yet written changes as one
``operations``  what each call does to a view: pure decisions
``database``    the two threads that own LevelDB; group commit
``metrics``     what Prometheus learns
``service``     the supervisor's side: calls in, answers out
"""
