"""Checks of names: each is unique, and whatever one thing says about another is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Protocol

from day2.inventory.fields import nearest
from day2.inventory.model import Database, Environment, Host, Service
from day2.inventory.problems import Finding


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def findings(environment: Environment, calendars: Path) -> Iterator[Finding]:
    """Every name in this environment that is given twice, or refers to nothing."""
    check: Callable[[Environment], Iterator[Finding]]
    for check in (_repeated_names, _same_database, _unknown_targets, _cycles, _regions):
        yield from check(environment)
    yield from _calendar(environment, calendars)


def _targets(environment: Environment) -> Iterator[tuple[str, int, str, Database | Host | Service]]:
    sections: tuple[tuple[str, Sequence[Database | Host | Service]], ...] = (
        ("databases", environment.databases),
        ("hosts", environment.hosts),
        ("services", environment.services),
    )
    for section, targets in sections:
        for index, target in enumerate(targets):
            yield section, index, f"{section.removesuffix('s')}/{target.name}", target


def _repeated_names(environment: Environment) -> Iterator[Finding]:
    sections: dict[str, Sequence[_Named]] = {
        "repositories": environment.repositories,
        "databases": environment.databases,
        "hosts": environment.hosts,
        "services": environment.services,
        "resources": environment.resources,
        "modules": environment.modules,
        "windows": environment.windows,
        "patch_exceptions": environment.patch_exceptions,
    }
    for section, items in sections.items():
        seen: set[str] = set()
        for index, item in enumerate(items):
            if item.name in seen:
                text = f"'{item.name}' is already the name of another one; every name in {section} must differ"
                yield Finding((section, index, "name"), text)
            seen.add(item.name)


def _same_database(environment: Environment) -> Iterator[Finding]:
    """Leases, coverage and approvals go by name: two names for one database would get past all three."""
    seen: dict[tuple[str, str | None], str] = {}
    for index, database in enumerate(environment.databases):
        other = seen.setdefault((database.connection, database.dbname), database.name)
        if other != database.name:
            text = f"'{database.connection}' is what '{other}' uses; one database has one name, or set dbname"
            yield Finding(("databases", index, "connection"), text)


def _unknown_targets(environment: Environment) -> Iterator[Finding]:
    known = sorted({reference for _, _, reference, _ in _targets(environment)})
    lists = [(section, i, "depends_on", each.depends_on) for section, i, _, each in _targets(environment)]
    lists += [("modules", i, "manages", module.manages) for i, module in enumerate(environment.modules)]
    for section, index, field, references in lists:
        for at, reference in enumerate(references):
            if reference not in known:
                # `orders` alone: the kind is missing, and closeness alone might find another name.
                same = [each for each in known if each.partition("/")[2] == reference]
                text = f"'{reference}' is unknown{nearest(same[0] if same else reference, known)}"
                yield Finding((section, index, field, at), text)


def _cycles(environment: Environment) -> Iterator[Finding]:
    targets = list(_targets(environment))
    places = {reference: (section, index) for section, index, reference, _ in targets}
    try:
        TopologicalSorter({reference: target.depends_on for _, _, reference, target in targets}).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        section, index = places[cycle[0]]
        text = f"makes a circle: {' → '.join(cycle)}; remove one of them"
        yield Finding((section, index, "depends_on"), text)


def _regions(environment: Environment) -> Iterator[Finding]:
    known = [environment.regions.primary, environment.regions.recovery]
    places = [(("databases", i, "region"), each.region) for i, each in enumerate(environment.databases)]
    places += [(("hosts", i, "region"), each.region) for i, each in enumerate(environment.hosts)]
    for location, region in places:
        if region not in known:
            yield Finding(location, _unknown_region(region, known))
    for index, database in enumerate(environment.databases):
        if database.standby and database.standby.region not in known:
            yield Finding(("databases", index, "standby", "region"), _unknown_region(database.standby.region, known))


def _unknown_region(region: str, known: list[str]) -> str:
    return f"'{region}' is neither the primary nor the recovery region{nearest(region, known)}"


def _calendar(environment: Environment, calendars: Path) -> Iterator[Finding]:
    name = environment.calendar
    if name is None:
        return
    there = sorted(each.name for each in calendars.glob("*.ics"))
    if name not in there:
        fix = nearest(name, there) or "; put an .ics file there"
        yield Finding(("calendar",), f"'{name}' is not in the calendars folder{fix}")
