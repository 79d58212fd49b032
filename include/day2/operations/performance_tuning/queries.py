"""The queries that give a finding's numbers: each may be run as it stands, in the database it is about."""

from __future__ import annotations

from day2.operations.performance_tuning.wording import literal

ESTIMATE = "estimate from relpages, reltuples and pg_stats (pgsql-bloat-estimation)"
PLANNED = "EXPLAIN of the generic plan"
HYPOTHETICAL = "EXPLAIN of the generic plan, without and with the index by HypoPG"
COUNTED_SINCE = (
    "select greatest(d.stats_reset, b.stats_reset) from pg_stat_database d, pg_stat_bgwriter b "
    "where d.datname = current_database()"
)
WAL = "select wal_bytes, wal_buffers_full, stats_reset from pg_stat_wal"
BUILDING = "select relid::regclass, command from pg_stat_progress_create_index"
VACUUMS = "select relid::regclass, index_vacuum_count from pg_stat_progress_vacuum"
OLDEST = "select oid::regclass, age(relfrozenxid) from pg_class where relkind = 'r' order by 2 desc limit 1"
SESSIONS = "select pid, state, now() - xact_start, age(backend_xmin) from pg_stat_activity order by xact_start"
PREPARED = "select gid, owner, prepared, age(transaction) from pg_prepared_xacts"
CONNECTIONS = "select state, count(*) from pg_stat_activity where backend_type = 'client backend' group by state"
FILE_ERRORS = "select name, sourcefile, sourceline, error from pg_file_settings where error is not null"


def of_table(what: str, name: str) -> str:
    """A table's counters."""
    return _from("pg_stat_user_tables", what, f"relid = {literal(name)}::regclass")


def of_index(what: str, name: str) -> str:
    """What the catalog says of an index."""
    return _from("pg_index", what, f"indexrelid = {literal(name)}::regclass")


def uses(name: str) -> str:
    """How often an index was used."""
    return _from("pg_stat_user_indexes", "idx_scan", f"indexrelid = {literal(name)}::regclass")


def of_relation(what: str, name: str) -> str:
    """What the catalog says of a table, an index or a sequence."""
    return _from("pg_class", what, f"oid = {literal(name)}::regclass")


def of_key(name: str, table: str) -> str:
    """A foreign key's definition."""
    which = f"conname = {literal(name)} and conrelid = {literal(table)}::regclass"
    return _from("pg_constraint", "pg_get_constraintdef(oid)", which)


def size(name: str) -> str:
    """Bytes on the disk."""
    return f"select pg_relation_size({literal(name)}::regclass)"


def of_statement(what: str, query_id: int) -> str:
    """A statement's counters."""
    return _from("pg_stat_statements", what, f"queryid = {query_id}")


def of_sequence(name: str) -> str:
    """A sequence's range and value."""
    sequence = f"{literal(name)}::regclass"
    what = f"seqtypid::regtype, pg_sequence_last_value({sequence}), seqmax"
    return _from("pg_sequence", what, f"seqrelid = {sequence}")


def filled_by(name: str) -> str:
    """What a sequence belongs to, and what takes its values."""
    which = f"{literal(name)}::regclass in (objid, refobjid)"
    return _from("pg_depend", "classid::regclass, objid, refobjid, refobjsubid", which)


def of_session(what: str, pid: int | None) -> str:
    """One session, or the prepared transactions."""
    return PREPARED if pid is None else _from("pg_stat_activity", what, f"pid = {pid}")


def of_slot(name: str) -> str:
    """One replication slot; the log that it keeps is counted from `restart_lsn`."""
    what = "active, wal_status, restart_lsn, age(xmin), age(catalog_xmin)"
    return _from("pg_replication_slots", what, f"slot_name = {literal(name)}")


def of_database(what: str, view: str = "pg_stat_database") -> str:
    """The database's own counters."""
    return _from(view, what, "datname = current_database()")


def checkpoints(version: int) -> str:
    """Forced and timed checkpoints."""
    if version >= 17:
        return "select num_requested, num_timed from pg_stat_checkpointer"
    return "select checkpoints_req, checkpoints_timed from pg_stat_bgwriter"


def of_setting(name: str) -> str:
    """Where a setting comes from, and whether it waits."""
    return _from("pg_settings", "setting, unit, source, sourcefile, pending_restart", f"name = {literal(name)}")


def _from(view: str, what: str, which: str) -> str:
    # For people to run: nothing here executes it, and every name in it is a quoted constant.
    return f"select {what} from {view} where {which}"  # noqa: S608
