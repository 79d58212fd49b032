"""The sources of an environment's health checks, opened with its connections: what they see, and what they saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from day2.airflow import connections
from day2.errors import Day2Error
from day2.inventory.health import HealthPolicy, Source
from day2.inventory.model import Environment

if TYPE_CHECKING:
    from day2.ledger.metrics import Sample
    from day2.operations.health_check.cycle import Looked
    from day2.operations.health_check.sources import Of

STEP = timedelta(hours=1)


def look(environment: Environment, policy: HealthPolicy, chosen: Iterable[str], *, now: datetime) -> list[Looked]:
    """What each source but our own says of the chosen targets now (`kind/name`), for `sources.together`.

    One that does not answer is a gap; the others go on.
    """
    from day2.operations.health_check import sources
    from day2.operations.health_check.cycle import Looked

    found, wanted = [], frozenset(chosen)
    for source in policy.sources:
        if source.connection is None:
            continue
        of = tuple(each for each in sources.targets(environment, source.kind) if each.target in wanted)
        try:
            found.append(_look(source, of, policy, now))
        except Day2Error as error:  # its connection is missing or incomplete
            found.append(Looked((), dict.fromkeys((each.target for each in of), error.happened)))
    return found


def history(
    environment: Environment, policy: HealthPolicy, span: tuple[datetime, datetime], *, now: datetime
) -> Iterator[Sample]:
    """What every source but our own has of a span of time, by hours or finer. Raises Day2Error."""
    from day2.operations.health_check import sources

    for source in policy.sources:
        if source.connection is None:
            continue
        of = sources.targets(environment, source.kind)
        if source.kind == "prometheus":
            server = connections.prometheus(source.connection)
            yield from sources.history_prometheus(source, server, of, span, step=STEP)
        else:
            account = connections.cloudwatch(source.connection)
            yield from sources.history_cloudwatch(source, account, of, span, now=now)


def _look(source: Source, of: tuple[Of, ...], policy: HealthPolicy, now: datetime) -> Looked:
    from day2.operations.health_check import sources

    connection = source.connection or ""
    if source.kind == "prometheus":
        server = connections.prometheus(connection, seconds=policy.timeout.total_seconds())
        return sources.look_prometheus(source, server, of, at_once=policy.at_once)
    return sources.look_cloudwatch(source, connections.cloudwatch(connection), of, now=now)
