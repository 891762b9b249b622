"""The supervisor: everything of a runtime pod that is not guild code.

``events``    the gateway's stream of events and results, with acknowledgements
``upstream``  ops and subscriptions on their way to the gateway
``control``   assignments from whoever decides, bundles, reports, logs
``backlog``, ``acks``  the decisions about waiting events, pure
``guild``     one guild of this pod: what should run, what runs, what waits
``process``   one worker process: its pipe, its life
``pool``      all of them: who has which guild, heartbeats, replacing the dead
``pod``       the whole, started and stopped in order
"""
