"""``flora cluster``: a look at an installation, for whoever runs it.

``command``  the command line; ``facts`` asks the API server; ``findings`` judges what it said, without I/O
"""
