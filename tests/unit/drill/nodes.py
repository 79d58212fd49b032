"""A pair that nobody connects to."""

from __future__ import annotations

from day2.hosts.shell import Local
from day2.operations.dr_drill.pair import Node, Pair
from day2.postgres.server import Server


def node(name: str, port: int, *, data: str | None = None, unit: str | None = None) -> Node:
    """A server of this name on a host of its own."""
    return Node(name, "eu-west-1", Server("db.invalid", port, "day2_drill", "orders"), Local(f"h-{name}"), data, unit)


def pair(*, data: str | None = None, unit: str | None = None) -> Pair:
    """`orders` and `orders-standby`."""
    return Pair(
        "orders",
        node("orders", 5432, data=data, unit=unit),
        node("orders-standby", 5433, data=data, unit=unit),
        Server("orders.invalid", 5432, "app", "orders"),
    )
