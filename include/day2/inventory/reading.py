"""Environment files into environments: strict, and one broken file never hides the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from day2.inventory import explain, references, rules, second_look
from day2.inventory.calendars import read as read_calendar
from day2.inventory.model import Environment
from day2.inventory.places import calendars_folder, environments_folder
from day2.inventory.problems import BrokenInventory, Finding, Problem
from day2.inventory.source import Source, read


@dataclass(frozen=True)
class Report:
    """What `day2 inventory check` found."""

    folder: Path
    environments: tuple[Environment, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def load(path: Path | str, *, calendars: Path | None = None) -> Environment:
    """The environment of one file. Raises BrokenInventory with everything that is wrong with it."""
    return _load(Path(path), calendars)[0]


def read_all(home: Path | None = None) -> tuple[tuple[Environment, ...], tuple[BrokenInventory, ...]]:
    """The good environments, and one error for each broken file: a DAG file loops over the former."""
    good, broken = _read(home)
    return tuple(environment for environment, _ in good), tuple(broken)


def environments(home: Path | None = None) -> list[Environment]:
    """The good environments, by name. What is broken is for `check_all` to say."""
    return list(read_all(home)[0])


def check_all(home: Path | None = None) -> tuple[Environment, ...]:
    """Every environment. Raises BrokenInventory with every problem of every file."""
    good, broken = _read_with_calendars(home)
    if broken:
        raise BrokenInventory(problem for error in broken for problem in error.problems)
    return tuple(environment for environment, _ in good)


def report(today: date, home: Path | None = None) -> Report:
    """Everything there is to say about the inventory, warnings included."""
    good, broken = _read_with_calendars(home)
    problems = {problem for error in broken for problem in error.problems}
    warnings = [
        source.problem(each) for environment, source in good for each in second_look.findings(environment, today)
    ]
    return Report(
        environments_folder(home),
        tuple(environment for environment, _ in good),
        tuple(sorted(problems)),
        tuple(sorted(warnings)),
    )


def _read(home: Path | None) -> tuple[list[tuple[Environment, Source]], list[BrokenInventory]]:
    good: list[tuple[Environment, Source]] = []
    broken: list[BrokenInventory] = []
    for path in _files(environments_folder(home), broken):
        try:
            good.append(_load(path, calendars_folder(home)))
        except BrokenInventory as error:
            broken.append(error)
    return good, broken


def _read_with_calendars(home: Path | None) -> tuple[list[tuple[Environment, Source]], list[BrokenInventory]]:
    """What is in the calendars as well. Not for who makes DAGs of it: backups go on when a calendar is broken."""
    read_ones, broken = _read(home)
    good = []
    for environment, source in read_ones:
        try:
            if environment.calendar:
                read_calendar(calendars_folder(home) / environment.calendar, environment.timezone)
            good.append((environment, source))
        except BrokenInventory as error:
            broken.append(error)
    return good, broken


def _load(path: Path, calendars: Path | None) -> tuple[Environment, Source]:
    source = read(path)
    try:
        environment = Environment.model_validate(source.data)
    except ValidationError as error:
        # pydantic's own words and the values it saw stay out of the message: they may hold secrets.
        problems = [source.problem(each) for each in explain.findings(error, Environment)]
        raise BrokenInventory(problems) from None
    found = [*_name(environment, path), *references.findings(environment, calendars or calendars_folder())]
    found += rules.findings(environment)
    if found:
        raise BrokenInventory(source.problem(each) for each in found)
    return environment, source


def _name(environment: Environment, path: Path) -> Iterator[Finding]:
    """DAG ids are made of names: two files of one name would overwrite each other's DAGs."""
    if environment.name != path.stem:
        taken = path.with_name(f"{environment.name}.yaml").exists()
        other = "" if taken else f", or rename the file to {environment.name}.yaml"
        yield Finding(("name",), f"'{environment.name}' is not the file's name; write '{path.stem}'{other}")


def _files(folder: Path, broken: list[BrokenInventory]) -> list[Path]:
    """The environment files, sorted. Nothing to read is an error: silence would mean no backups."""
    if not folder.is_dir():
        text = "there is no such folder; set DAY2_HOME to the folder that holds environments/, or DAY2_INVENTORY"
        broken.append(BrokenInventory([Problem(str(folder), 0, text)]))
        return []
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in paths if path.suffix == ".yaml"]
    ignored = [path for path in paths if path.suffix == ".yml"]
    for path in ignored:
        text = f"is not read; rename it to {path.stem}.yaml"
        broken.append(BrokenInventory([Problem(path.name, 0, text)]))
    if not files and not ignored:
        text = "no environment is described here; add a file such as production.yaml"
        broken.append(BrokenInventory([Problem(str(folder), 0, text)]))
    return files
