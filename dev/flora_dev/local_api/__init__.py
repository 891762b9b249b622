"""The API on one machine: a child of ``flora dev`` with a Postgres and a Redis of its own."""
