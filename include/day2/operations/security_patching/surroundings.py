"""What stands on hosts and what stands behind them, as the inventory says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from day2.inventory.model import Environment

Edges = Mapping[str, set[str]]


def databases(environment: Environment, hosts: Iterable[str]) -> tuple[str, ...]:
    """The databases on or behind these hosts, in the inventory's order.

    On: they, or their standby, run there, or they say that they depend on the host. Behind: the host, or a
    service that stands on it, depends on them: a patch that makes it misbehave can spoil their data.
    """
    touched = {f"host/{each}" for each in hosts}
    above = _closure(touched, _used_by(environment))
    fronts = {each for each in above if each.startswith(("host/", "service/"))}
    reached = above | _closure(fronts & _beside(environment, touched), _uses(environment))
    return tuple(each.name for each in environment.databases if f"database/{each.name}" in reached)


def standing_on(environment: Environment, hosts: Iterable[str]) -> dict[str, list[str]]:
    """Everything that depends on one of these hosts, directly or through something else, with those hosts."""
    edges = _used_by(environment)
    found: dict[str, list[str]] = {}
    for host in hosts:
        for name in sorted(_closure({f"host/{host}"}, edges) - {f"host/{host}"}):
            found.setdefault(name, []).append(host)
    return found


def _uses(environment: Environment) -> Edges:
    """What each thing stands on. A database stands on the hosts that it and its standby run on."""
    edges = {f"service/{each.name}": set(each.depends_on) for each in environment.services}
    edges |= {f"host/{each.name}": set(each.depends_on) for each in environment.hosts}
    for each in environment.databases:
        runs_on = (each.host, each.standby.host if each.standby else None)
        edges[f"database/{each.name}"] = {*each.depends_on, *(f"host/{host}" for host in runs_on if host)}
    return edges


def _used_by(environment: Environment) -> Edges:
    back: dict[str, set[str]] = {}
    for name, needs in _uses(environment).items():
        for need in needs:
            back.setdefault(need, set()).add(name)
    return back


def _beside(environment: Environment, touched: set[str]) -> set[str]:
    """The hosts themselves, and what stands directly on one of them."""
    return touched | {name for name, needs in _uses(environment).items() if needs & touched}


def _closure(start: set[str], edges: Edges) -> set[str]:
    found, frontier = set(start), set(start)
    while frontier:
        frontier = {each for name in frontier for each in edges.get(name, ())} - found
        found |= frontier
    return found
