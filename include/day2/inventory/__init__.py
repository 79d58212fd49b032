"""Environments, targets and policies: typed models, loading, selecting, JSON Schema."""

from day2.inventory.health import AlertDrill
from day2.inventory.model import (
    BackupPolicy,
    CapacityPolicy,
    Database,
    DrillPolicy,
    Environment,
    HealthPolicy,
    Host,
    PatchException,
    PatchPolicy,
    Repository,
    Resource,
    RestorePolicy,
    ScalingPolicy,
    Service,
    TuningPolicy,
)
from day2.inventory.places import calendars_folder, environments_folder
from day2.inventory.problems import BrokenInventory, Problem
from day2.inventory.reading import check_all, environments, load, read_all, report
from day2.inventory.selecting import policy_hash, select, select_hosts, select_resources

__all__ = [
    "AlertDrill",
    "BackupPolicy",
    "BrokenInventory",
    "CapacityPolicy",
    "Database",
    "DrillPolicy",
    "Environment",
    "HealthPolicy",
    "Host",
    "PatchException",
    "PatchPolicy",
    "Problem",
    "Repository",
    "Resource",
    "RestorePolicy",
    "ScalingPolicy",
    "Service",
    "TuningPolicy",
    "calendars_folder",
    "check_all",
    "environments",
    "environments_folder",
    "load",
    "policy_hash",
    "read_all",
    "report",
    "select",
    "select_hosts",
    "select_resources",
]
