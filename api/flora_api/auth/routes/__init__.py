"""The routes of ``auth``: each module has a ``router(…)``."""
