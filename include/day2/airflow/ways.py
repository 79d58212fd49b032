"""From the inventory to what a drill works with: a pair of servers with their hosts, or a repository and a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from day2.airflow import connections, run

if TYPE_CHECKING:
    from day2.inventory.model import Database, DrillPolicy, Environment, Service
    from day2.operations.dr_drill.strategy import Strategy
    from day2.postgres.server import Server

MAINTENANCE = "postgres"


def way(here: Environment, planned: dict[str, Any], name: str) -> Strategy:
    roles = {each["name"]: tuple(each.get("missing_roles", ())) for each in planned["targets"]}
    return strategy(here, here.database(name), mode=planned["mode"], digest=planned["digest"], roles=roles[name])


def strategy(
    here: Environment, database: Database, *, mode: str, digest: str = "plan", roles: tuple[str, ...] = ()
) -> Strategy:
    policy = here.drill_policy(database)
    if policy.strategy == "restore":
        return _rebuild(here, database, policy, mode=mode, digest=digest, roles=roles)
    return _failover(here, database, policy, mode=mode)


def _failover(here: Environment, database: Database, policy: DrillPolicy, *, mode: Any) -> Strategy:
    from day2.operations.dr_drill.failover import Failover
    from day2.operations.dr_drill.pair import Node, Pair
    from day2.operations.dr_drill.route import Tools

    backups, now = here.backup_policy(database), run.current()
    standby = database.standby
    assert standby is not None  # noqa: S101 - the inventory's check refuses a failover without one
    primary = connections.server(policy.connection or database.connection, dbname=database.dbname)
    follower = connections.server(policy.standby_connection or standby.connection, dbname=database.dbname)
    hosts = {each.name: each for each in here.hosts}

    def node(name: str, server: Server, placed: Any) -> Node:
        shell = connections.shell(hosts[placed.host].connection)
        return Node(name, placed.region, server, shell, placed.data_directory, placed.systemd_unit)

    pair = Pair(
        database.name,
        node(database.name, primary, database),
        node(f"{database.name}-standby", follower, standby),
        connections.server(str(policy.endpoint), dbname=database.dbname),
    )
    return Failover(
        pair=pair,
        policy=policy,
        mode=mode,
        store=connections.store(here.repository(backups.repository)),
        max_age=backups.rpo,
        run=now.key,
        attested=_attested(now),
        tools=Tools(shell=connections.shell, aws=lambda connection: connections.aws(connection, "route53")),
    )


def _attested(now: run.Run) -> str:
    """Who says that the old primary was taken out of service by hand, and how; only in an emergency."""
    told = str(now.params.get("attested") or "").strip()
    return f"{now.trigger.user}: {told}" if told and now.params["mode"] == "live" else ""


def _rebuild(
    here: Environment, database: Database, policy: DrillPolicy, *, mode: Any, digest: str, roles: tuple[str, ...]
) -> Strategy:
    from day2.operations.database_restore.staged import Target
    from day2.operations.dr_drill.rebuild import Rebuild

    backups = here.backup_policy(database)
    maintenance = connections.server(str(policy.recovery_connection), dbname=MAINTENANCE)
    dbname = database.dbname or connections.server(database.connection).dbname
    called = f"{dbname[:40]}_drill_{digest[:8]}" if mode == "drill" else dbname
    return Rebuild(
        name=database.name,
        policy=policy,
        mode=mode,
        store=connections.store(here.repository(str(policy.recovery_repository))),
        identity=connections.identity(backups),
        target=Target(maintenance, called),
        max_age=backups.rpo,
        run=run.current().key,
        scratch=backups.scratch,
        missing_roles=roles,
        move=lambda server: {"kind": policy.route.kind, "to": server.label},
    )


def services(here: Environment, name: str) -> tuple[Service, ...]:
    return tuple(each for each in here.services if f"database/{name}" in each.depends_on)


def policy(here: Environment) -> DrillPolicy:
    policy = here.policies.dr_drill
    assert policy is not None  # noqa: S101 - there is no DAG without it
    return policy
