"""Try changes on a scratch restore of the last recovery point, before anybody's database feels them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from day2.errors import Day2Error
from day2.inventory.tuning import TuningPolicy
from day2.operations import materialize
from day2.operations.materialize import Origin
from day2.operations.performance_tuning.facts import Facts, Setting, Statement
from day2.operations.performance_tuning.model import Change, Recommendation
from day2.operations.performance_tuning.replay import Wanted, promising, replay
from day2.postgres.server import Server

log = logging.getLogger("day2")
# Beside a change's own statements, so many of those that take most time.
OTHERS = 20
PLANS = frozenset({
    "work_mem", "hash_mem_multiplier", "effective_cache_size", "random_page_cost", "seq_page_cost", "cpu_tuple_cost",
    "cpu_index_tuple_cost", "cpu_operator_cost", "parallel_setup_cost", "parallel_tuple_cost", "jit",
    "max_parallel_workers_per_gather", "default_statistics_target", "effective_io_concurrency",
})  # fmt: skip


def rehearse(
    origin: Origin,
    items: Sequence[Recommendation],
    facts: Facts,
    policy: TuningPolicy,
    *,
    parent: Path | None,
    run: str,
) -> dict[str, dict[str, Any]]:
    """By the finding's key: whether to go on (none: nobody can tell), why, and what was replayed.

    The copy has the settings of the living database that plans depend on, and is gone afterwards.

    Raises Day2Error if the point cannot be restored: then nothing is known of any of them.
    """
    found = {}
    with materialize.running(origin, parent=parent, run=run) as restored:
        copy = restored.made.server(origin.described.dbname)
        _like(copy, facts.settings)
        for item in items:
            assert item.change is not None  # noqa: S101 - only changes are rehearsed
            found[item.key] = _one(copy, item.change, facts.statements, policy)
            log.info("%s: %s", item.key, found[item.key]["says"])
    return {key: each | {"point": origin.point.id} for key, each in found.items()}


def wanted(change: Change, statements: Iterable[Statement]) -> list[Wanted]:
    """The change's own statements, and those that take most time. Pure."""
    ranked = sorted(statements, key=lambda each: -each.total_ms)
    own = [each for each in ranked if each.query_id in change.measured_by]
    others = [each for each in ranked if each.query_id not in change.measured_by]
    return [Wanted(each.query_id, each.text, each.calls) for each in (*own, *others[:OTHERS]) if not each.is_cut]


def of_plans(settings: Iterable[Setting]) -> list[Setting]:
    """Those that somebody set and that plans depend on. Pure."""
    return [
        each
        for each in settings
        if each.source not in ("default", "override") and (each.name in PLANS or each.name.startswith("enable_"))
    ]


def _like(copy: Server, settings: Iterable[Setting]) -> None:
    """A dump brings no statistics and no settings: without them no plan is what it is in the living database."""
    from psycopg import sql

    with copy.connect() as connection:
        for each in of_plans(settings):
            statement = sql.SQL("alter system set {} = {}")
            connection.execute(statement.format(sql.Identifier(each.name), sql.Literal(each.value)))
        connection.execute("select pg_catalog.pg_reload_conf()")
        connection.execute("analyze")


def _one(copy: Server, change: Change, statements: Sequence[Statement], policy: TuningPolicy) -> dict[str, Any]:
    # Whoever restored the copy owns it, and nobody else is there: nothing has to wait.
    patient = policy.model_copy(update={"attempts": 1})
    try:
        done = replay(copy, change, wanted(change, statements), patient)
    except Day2Error as error:
        return {"promising": None, "says": f"on a copy it could not be tried: {error.happened}"}
    go_on, says = promising(done, change, policy)
    return {"promising": go_on, "says": says, **done.as_dict()}
