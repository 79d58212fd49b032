"""What a suite found: one check for each expectation and target, and how it reads in a log."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from day2.validation.suite import Severity

# A check about all rows together. No target can be called this.
EVERY = "*"
# A check named so says only that a fact is there; a log counts these instead of listing them.
MEASURED = "measured."
# A log names so many targets of one failed check; the record holds them all.
LISTED = 20

RANK = {"critical": 0, "warning": 1, "info": 2}
MARK = {"critical": "FAIL", "warning": "WARN", "info": "NOTE"}


@dataclass(frozen=True)
class Check:
    """One sentence about one target, whether it is true, and what was seen.

    `error` says why it could not be evaluated; such a check has not passed and is always critical.
    """

    id: str
    name: str
    target: str
    expected: str
    observed: Any
    severity: Severity
    passed: bool
    error: str | None = None

    def line(self) -> str:
        """The check for a log, target first."""
        mark = "ok  " if self.passed else MARK[self.severity]
        seen = f"could not be evaluated: {self.error}" if self.error else f"observed {_shown(self.observed)}"
        return f"{mark} {self.target}: {self.name} (expected {self.expected}; {seen})"


@dataclass(frozen=True)
class SuiteResult:
    """All checks of a suite. It passed when no critical check failed."""

    suite: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return bool(self.checks) and not self.failures()

    def failures(self, target: str | None = None) -> tuple[Check, ...]:
        """The critical checks that failed: all, or those that concern this target."""
        return tuple(
            each
            for each in self.checks
            if not each.passed and each.severity == "critical" and (target is None or each.target in (target, EVERY))
        )

    def report(self) -> list[str]:
        """Readable lines: the verdict, what failed, then what passed, once a check."""
        failed = sorted((each for each in self.checks if not each.passed), key=lambda each: RANK[each.severity])
        return [self._headline(), *_failed_lines(failed), *_passed_lines(self.checks)]

    def summed(self, whole: Callable[[str], str]) -> SuiteResult:
        """The same with the passed checks of many parts as one: a thousand tables are one line a database.

        `whole` says which target a part belongs to. What failed stays as it is, part by part.
        """
        sums: dict[tuple[str, str], list[Check]] = {}
        kept = []
        for each in self.checks:
            if each.passed and each.target != EVERY:
                sums.setdefault((each.id, whole(each.target)), []).append(each)
            else:
                kept.append(each)
        totals = Counter((each.id, whole(each.target)) for each in self.checks)
        summed = [
            replace(parts[0], target=target, observed=f"{len(parts)} of {totals[identity, target]}")
            for (identity, target), parts in sums.items()
        ]
        return SuiteResult(self.suite, (*kept, *summed))

    def as_dict(self) -> dict[str, Any]:
        """The same for the ledger, as plain JSON."""
        return {
            "suite": self.suite,
            "passed": self.passed,
            "checks": [{key: plain(value) for key, value in asdict(each).items()} for each in self.checks],
        }

    def _headline(self) -> str:
        counted = Counter(each.severity for each in self.checks if not each.passed)
        passed = sum(each.passed for each in self.checks)
        return (
            f"suite {self.suite}: {'PASSED' if self.passed else 'FAILED'}: {passed} of {len(self.checks)} checks "
            f"passed, {counted['critical']} failed, {counted['warning'] + counted['info']} to look at"
        )


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NaN and infinity are null, decimals and numpy's are numbers, times ISO 8601."""
    if isinstance(value, float):
        # An endless duration is no more a measurement than NaN is.
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return int(value) if whole else plain(float(value))
    if isinstance(value, date):
        return value.isoformat()
    return plain(value.item()) if hasattr(value, "item") else str(value)


def _failed_lines(failed: list[Check]) -> Iterator[str]:
    listed: Counter[str] = Counter()
    for each in failed:
        listed[each.id] += 1
        if listed[each.id] <= LISTED:
            yield each.line()
    for name, count in listed.items():
        if count > LISTED:
            yield f"     {name}: {count - LISTED} more targets; the record names them all"


def _passed_lines(checks: tuple[Check, ...]) -> Iterator[str]:
    """A line a check, with how many targets it holds for."""
    true_for: Counter[str] = Counter(each.id for each in checks if each.passed)
    names = {each.id: each.name for each in checks}
    facts = [name for name in true_for if name.startswith(MEASURED)]
    for name, count in true_for.items():
        if name not in facts:
            yield f"ok   {names[name]} ({count} of {sum(each.id == name for each in checks)})"
    if facts:
        yield f"ok   {sum(true_for[name] for name in facts)} facts were measured"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
