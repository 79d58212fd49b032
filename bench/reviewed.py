"""What a capacity review costs, part by part, in a process of its own: `python -m bench.reviewed`, a JSON line out.

The ledger's connection string comes in BENCH_LEDGER. The parts are what the DAG's tasks call.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from bench.parts import Parts
from bench.reviews import ENVIRONMENT, environment
from day2.ledger import Ledger, metric_days
from day2.operations.capacity_review import document, facts, making, numbers_csv, report, review
from day2.operations.capacity_review.facts import Stored
from day2.operations.capacity_review.making import Before
from day2.operations.capacity_review.planning import question
from day2.operations.capacity_review.subjects import Reader, by_target


def main() -> None:
    """Run every part once and print what each cost."""
    parts = Parts()
    with Ledger.connect(os.environ["BENCH_LEDGER"]) as ledger:
        targets = [name for (name,) in ledger.connection.execute(
            "select distinct target from ledger.metric_series where environment = %s order by 1", (ENVIRONMENT,)
        ).fetchall()]  # fmt: skip
        here = environment(targets)
        policy = here.policies.capacity_review
        assert policy is not None
        reader = Reader(here, policy, datetime.now(UTC))
        with parts.part("read"):
            days = by_target(metric_days.read(ledger, question(here, reader.now)))
    with parts.part("forecast and judge"):
        rows = [row for name in targets for row in making.target(reader, name, days[name])]
    # As if the last review had said the same a quarter ago: each series is compared once.
    said = {row.forecast.name: row.forecast for row in rows}
    with parts.part("compare, put together"):
        made = making.whole(reader, rows, days, Before(made_on=reader.now.date(), forecasts=said))
    with parts.part("document written and read"):
        data = document.dump(made)
        again = document.load(data)
    with parts.part("facts"):
        judged = facts.rows(targets, Stored(again, document.stood(data), review.requests(again), said))
    with parts.part("page and CSV files"):
        sizes = [len(report.render(again)), len(numbers_csv.resources(again)), len(numbers_csv.paths(again))]
    done = {"series": len(rows), "targets": len(judged), "forecasts": sum(bool(row.forecast.median) for row in rows)}
    print(json.dumps({"parts": parts.rows, **done, "bytes": [len(data), *sizes]}))


if __name__ == "__main__":
    main()
