"""Judge measured facts against a suite of checks: `run(rows, "database_backup")`.

The only package that knows Great Expectations, and it imports it only when facts are judged.
"""

from day2.validation.result import Check, SuiteResult
from day2.validation.runner import run
from day2.validation.suite import SuiteError

__all__ = ["Check", "SuiteError", "SuiteResult", "run"]
