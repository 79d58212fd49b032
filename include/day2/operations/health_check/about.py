"""What each metric is called, its unit, and what helps when it is bad."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """What is known of a metric beside its value: how to read it, and what helps when it is bad."""

    says: str
    unit: str = ""
    next_step: str = ""
    runbook: str = "An alert arrived"


_WHO = "log in and look who uses it (top, pg_stat_activity)"
_ROOM = "remove what is not needed, or grow it: scale_resource, if the inventory has a resource that follows it"
_POINTS = "A recovery point is missing or too old"
_BACKUP = "look at the last runs of database_backup, then trigger it for this database"

ABOUT: dict[str, About] = {
    "cpu_percent": About("CPU use", "percent", _WHO),
    "memory_percent": About("memory use", "percent", _WHO),
    "swap_percent": About("swap use", "percent", _WHO),
    "load_per_cpu": About("load for each CPU", "", _WHO),
    "disk_percent": About("disk use", "percent", _ROOM),
    "disk_used": About("disk use", "bytes", _ROOM),
    "inodes_percent": About("inode use", "percent", "look for folders with very many small files, and remove them"),
    "connections_percent": About("connections in use", "percent", "look in pg_stat_activity who keeps them open"),
    "xid_age_percent": About("transaction ids used up", "percent", "vacuum the oldest tables; end old transactions"),
    "multixact_age_percent": About("multixact ids used up", "percent", "vacuum the oldest tables"),
    "sequence_percent": About("use of the fullest sequence", "percent", "make its column bigint, and the sequence"),
    "replay_lag_seconds": About("replication lag", "s", "look at the standby's disk and at long queries on it"),
    "oldest_transaction_seconds": About("age of the oldest transaction", "s", "ask its owner, then end it"),
    "slot_retained_bytes": About("WAL kept for a slot", "bytes", "start its reader again, or drop the slot"),
    "checksum_failures": About("pages with a wrong checksum", "", "restore beside it now, and replace the disk"),
    "look_failed": About("target without an answer", "", "log in; look whether it, or only the way to it, is down"),
    "probe_failed": About("failed service probe", "", "ask the service yourself, then what it stands on"),
    "recovery_points": About("recovery points that are there", "", _BACKUP, _POINTS),
    "recovery_point_age_percent": About(
        "age of the last verified recovery point, of its RPO", "percent", _BACKUP, _POINTS
    ),
    "recovery_point_age_seconds": About("age of the last good recovery point", "s", _BACKUP, _POINTS),
    "undeclared_databases": About(
        "databases that nobody declared",
        "",
        "declare each in the inventory, or drop it: nobody backs it up",
        "A database is not declared",
    ),
    "unowned_recovery_points": About(
        "databases with recovery points that the inventory does not have", "", "declare them again, or release them"
    ),
    "patch_scan_age_seconds": About(
        "time since the last patch scan", "s", "look at the last runs of security_patching; a dry run scans"
    ),
    "drill_age_seconds": About("time since the last drill that passed", "s", "trigger dr_drill, or say why it waits"),
}


def about(metric: str) -> About:
    """What is known of a metric; its own name where nobody wrote more."""
    return ABOUT.get(metric, About(metric.replace("_", " ")))
