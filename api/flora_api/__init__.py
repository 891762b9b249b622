"""The HTTP API that the CLI and other tools of people talk to; docs/api.md has its routes."""
