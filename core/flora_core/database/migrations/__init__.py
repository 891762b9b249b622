"""Alembic's steps; they go forwards only, and what a release adds its predecessor can live with."""
