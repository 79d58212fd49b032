"""What must hold of a look and of a drill of the alerts. Pure.

No Great Expectations here: what is judged every few minutes are the thresholds themselves, and its import alone would
take longer than the look.
"""

from __future__ import annotations

from collections.abc import Mapping

from day2.validation import Check, SuiteResult


def of_look(
    environment: str, *, samples: int, gaps: Mapping[str, str], dropped: Mapping[str, int], told: Mapping[str, bool]
) -> SuiteResult:
    """Of one look. A gap is a warning here: the metric `look_failed` makes an alert of it."""
    unbelieved = sum(dropped.values())
    missed = sorted(title for title, taken in told.items() if not taken)
    checks = (
        Check("sampled", "something was seen", environment, "1 sample or more", samples, "critical", samples > 0),
        Check("answered", "every target answered", environment, "no gap", dict(gaps), "warning", not gaps),
        Check("believed", "every sample was believed", environment, "all", dict(dropped), "warning", not unbelieved),
        Check("told", "every alert was taken, on every route", environment, "all", missed, "critical", not missed),
    )
    return SuiteResult("health_check", checks)


def of_drill(arrived: Mapping[str, str]) -> SuiteResult:
    """Of a drill: `arrived` has, by notifier, what was wrong; nothing where the test was seen to arrive."""
    return SuiteResult(
        "alert_drill",
        tuple(
            Check("arrived", "the test was seen to arrive", name, "seen", wrong or "seen", "critical", not wrong)
            for name, wrong in arrived.items()
        ),
    )
