"""Checks of backup policies: where recovery points go, and whether the objectives can be met."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

from day2.inventory import cron
from day2.inventory.fields import nearest
from day2.inventory.model import BackupPolicy, Environment
from day2.inventory.problems import Finding, Location
from day2.units import duration


def findings(environment: Environment, policy: BackupPolicy, *, at: Location, only: set[str]) -> Iterator[Finding]:
    """What is wrong with a backup policy, in the fields that this place sets (`only`)."""
    known = {each.name: each for each in environment.repositories}
    if "repository" in only and policy.repository not in known:
        yield Finding((*at, "repository"), f"'{policy.repository}' is unknown{nearest(policy.repository, [*known])}")
    if only & {"repository", "copies"}:
        yield from _copies(environment, policy, at=(*at, "copies"))
    if only & {"rpo", "schedule"} and (wrong := _rpo(policy, environment.timezone)):
        yield Finding((*at, "rpo"), wrong)


def unreachable_scores(environment: Environment) -> Iterator[Finding]:
    """A 3-2-1-1-0 score that the repositories cannot give even on a good day: every run would fail."""
    told: set[Location] = set()
    for index, database in enumerate(environment.databases):
        policy = environment.backup_policy(database)
        best = _best_score(environment, policy, database.region)
        if all(have >= need for have, need in zip(best, _digits(policy.required_score), strict=False)):
            continue
        own = database.policies.get("database_backup", {}).keys() & {"required_score", "repository", "copies"}
        where: Location = (
            ("databases", index, "policies", "database_backup") if own else ("policies", "database_backup")
        )
        if where in told:
            continue  # the environment's policy: one database is example enough
        told.add(where)
        reachable = "-".join(map(str, best))
        text = (
            f"{policy.required_score} cannot be reached by '{database.name}': its repositories give {reachable} at "
            f"best; add to copies, or write {reachable}"
        )
        yield Finding((*where, "required_score"), text)


def _best_score(environment: Environment, policy: BackupPolicy, region: str) -> tuple[int, ...]:
    """Copies (the live one counts), media, off-site, immutable, errors."""
    held = [environment.repository(name) for name in (policy.repository, *policy.copies)]
    media = {each.media for each in held}
    offsite = [each for each in held if each.region != region]
    return (1 + len(held), 1 + len(media), len(offsite), len([each for each in held if each.object_lock]), 0)


def _digits(score: str) -> list[int]:
    return [int(digit) for digit in score.split("-")][:4]


def _copies(environment: Environment, policy: BackupPolicy, *, at: Location) -> Iterator[Finding]:
    urls = {each.name: each.url.rstrip("/") for each in environment.repositories}
    places = {urls.get(policy.repository): policy.repository}
    for index, name in enumerate(policy.copies):
        if name not in urls:
            yield Finding((*at, index), f"'{name}' is unknown{nearest(name, [*urls])}")
        elif urls[name] in places:
            text = f"'{name}' is the place of '{places[urls[name]]}' already, so it is no copy; remove it"
            yield Finding((*at, index), text)
        places.setdefault(urls.get(name), name)


def _rpo(policy: BackupPolicy, timezone: str) -> str | None:
    gap = cron.longest_gap(policy.schedule, timezone)
    if policy.rpo >= gap:
        return None
    extra = cron.clocks_go_back(timezone)
    why = f", when clocks go back in {timezone}" if extra and gap >= timedelta(days=1) else ""
    hours = ceil(gap / timedelta(hours=1))
    return (
        f"of {duration(policy.rpo.total_seconds())} is shorter than the longest gap of schedule "
        f"'{policy.schedule}' ({duration(gap.total_seconds())}{why}); write PT{hours}H or more, or run it more often"
    )
