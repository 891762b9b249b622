"""Events on their way to the runtime pods.

``classify``  what an event is and whom it concerns, from its raw JSON; pure
``buffer``    one pod's frames: numbered, bounded, kept until acknowledged; pure
``holds``     events of guilds that move from one pod to another; pure
``hub``       every event to the right buffers, with subscriptions and routes
``routes``    which pod has which guild, followed from the control plane
"""
