"""Restoring a database: to look at, beside the living one, or in its place.

`choose` finds the recovery point; `preflight` looks before anything is touched; `into_scratch`,
`new_database`, `in_place` and `data_directory` are the destinations; `staged` builds a database under
a name of its own, so that a result appears whole or not at all; `swap` puts it where it belongs;
`proof` compares it with the manifest.
"""
