"""Checks of drill policies: a drill that could not even begin is found when the file is read."""

from __future__ import annotations

from collections.abc import Iterator

from day2.inventory.fields import nearest
from day2.inventory.model import Database, DrillPolicy, Environment
from day2.inventory.problems import Finding, Location


def findings(environment: Environment) -> Iterator[Finding]:
    """What the drill policy of each database lacks; nothing where the environment has no drill."""
    hosts = [each.name for each in environment.hosts]
    for index, database in enumerate(environment.databases):
        at: Location = ("databases", index)
        yield from _hosts(database, hosts, at)
        if environment.policies.dr_drill is not None:
            override = "dr_drill" in database.policies
            where: Location = (*at, "policies", "dr_drill") if override else ("policies", "dr_drill")
            yield from _policy(environment, database, environment.drill_policy(database), where, at)


def drilled(environment: Environment) -> tuple[Database, ...]:
    """The databases a drill covers: every one, if the environment has a drill policy."""
    return environment.databases if environment.policies.dr_drill else ()


def _hosts(database: Database, known: list[str], at: Location) -> Iterator[Finding]:
    named: list[tuple[Location, str | None]] = [((*at, "host"), database.host)]
    if database.standby:
        named.append(((*at, "standby", "host"), database.standby.host))
    for place, host in named:
        if host is not None and host not in known:
            yield Finding(place, f"'{host}' is not one of the hosts{nearest(host, known)}")


def _policy(
    environment: Environment, database: Database, policy: DrillPolicy, where: Location, at: Location
) -> Iterator[Finding]:
    if policy.strategy == "failover":
        if database.standby is None:
            text = "a failover needs a standby; give it one, or set strategy: restore for this database"
            yield Finding((*at, "name"), text)
            return
        lacking = [
            name for name, host in (("host", database.host), ("standby.host", database.standby.host)) if not host
        ]
        if lacking:
            yield Finding(
                (*at, "name"), f"a failover stops and starts servers on their hosts; set {', '.join(lacking)}"
            )
        if policy.endpoint is None:
            yield Finding((*where, "endpoint"), "is needed for a failover: what do clients connect to?", value=False)
    else:
        if policy.recovery_connection is None:
            yield Finding((*where, "recovery_connection"), "is needed to rebuild: where to?", value=False)
        known = [each.name for each in environment.repositories]
        if policy.recovery_repository not in known:
            text = f"must name the repository that survives{nearest(policy.recovery_repository or '', known)}"
            yield Finding((*where, "recovery_repository"), text, value=False)
