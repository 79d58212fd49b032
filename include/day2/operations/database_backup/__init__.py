"""The daily database backup: plan, take, copy, prove by restoring, expire.

`job` is what a step needs; `preflight` looks before anything is written; `physical` and `logical` are
the engines; `take`, `copy`, `prove` and `expire` are the steps; `facts` turns measures into rows.
"""
