"""The deciding side of the control streams: desired state, routes, bundles; reports and logs taken in.

``flora dev``'s local controller and the operator serve the same streams from the same code; what they
decide, and from what, is their own.
"""
