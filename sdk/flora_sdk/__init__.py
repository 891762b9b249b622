"""Data only: what ``make sdk`` builds from ``sdk/src`` and the pinned npm packages."""
