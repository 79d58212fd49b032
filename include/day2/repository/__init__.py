"""Recovery points in object storage: layout, manifest, streams, retention, encryption.

A point is a folder `<database>/<point id>/` of objects. `manifest.json` is written last and is the
commit: without it there is no recovery point. Nothing but the repository and the key is needed to
list, verify and restore.
"""
