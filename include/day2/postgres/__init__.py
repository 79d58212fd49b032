"""How to do things to a PostgreSQL server."""
