"""What every part of flora shares: the domain's words, the wire, the bundler, settings, telemetry.

Nothing here imports another flora package; every component imports this one and none of its siblings.
"""
