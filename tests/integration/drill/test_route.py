"""Clients arrive at the server that took over, whatever they go through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from day2.errors import StepFailed, Unavailable
from day2.hosts.shell import Done, Shell
from day2.inventory.drill import MultiHost, Route53, RouteCommand
from day2.operations.dr_drill import control, dns, observe, route
from day2.operations.dr_drill.pair import Pair
from day2.operations.dr_drill.route import Tools
from lab.ports import free_port
from tests.integration.drill.making import DBNAME, DRILL, PASSWORD, Living
from tests.integration.drill.routers import Router, haproxy, pgbouncer

Start = Callable[[Living], AbstractContextManager[Router]]


def nothing(connection: str) -> Any:
    raise AssertionError(f"this route has no use for {connection}")


NO_TOOLS = Tools(shell=nothing, aws=nothing)


def tools_of(shell: Shell) -> Tools:
    return Tools(shell=lambda connection: shell, aws=nothing)


def fail_over(pair: Living) -> None:
    control.stop(pair.pair.primary)
    pair.sql(pair.pair.standby, "select pg_promote(true, 30)")


@dataclass
class Client:
    """Writes through the endpoint all the time, as an application: a new connection when the old one breaks."""

    endpoint: Any
    wrote_on: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with psycopg.connect(
                    host=self.endpoint.host, port=self.endpoint.port, user=DRILL, password=PASSWORD, dbname=DBNAME,
                    connect_timeout=2, autocommit=True, prepare_threshold=None,
                ) as connection:  # fmt: skip
                    while not self.stop.wait(0.02):
                        row = connection.execute(
                            "insert into seen (port) values (current_setting('port')::int) returning port"
                        ).fetchone()
                        self.wrote_on.append(row[0] if row else 0)
            except psycopg.Error:
                self.stop.wait(0.05)


@contextmanager
def writing(pair: Living, endpoint: Any) -> Iterator[Client]:
    pair.sql(pair.pair.primary, "create table seen (at timestamptz default now(), port int)")
    pair.sql(pair.pair.primary, f"grant insert, select on seen to {DRILL}")
    client = Client(endpoint)
    thread = threading.Thread(target=client.run)
    thread.start()
    try:
        assert observe.until(lambda: len(client.wrote_on) > 5, seconds=20)
        yield client
    finally:
        client.stop.set()
        thread.join()


def test_multi_host_clients_follow_by_themselves(pair: Living) -> None:
    kind = MultiHost(kind="multi_host")
    assert route.move(kind, pair.pair, pair.pair.primary, tools=NO_TOOLS)["already"] is True
    fail_over(pair)
    measures = route.move(kind, pair.pair, pair.pair.standby, tools=NO_TOOLS)
    assert (measures["kind"], measures["to"]) == ("multi_host", "orders-standby")


@pytest.mark.parametrize("start", [haproxy, pgbouncer])
def test_a_reload_moves_clients_that_are_writing(pair: Living, start: Start) -> None:
    with start(pair) as router:
        kind = RouteCommand(kind="command", connection="ssh_edge", command=router.command)
        behind = router.of(pair.pair)
        tools = tools_of(router.shell)
        assert route.move(kind, behind, behind.primary, tools=tools)["already"] is True
        with writing(pair, behind.endpoint) as client:
            fail_over(pair)
            measures = route.move(kind, behind, behind.standby, tools=tools)
            before = len(client.wrote_on)
            assert observe.until(lambda: len(client.wrote_on) > before + 5, seconds=20)
        assert measures["already"] is False
        assert client.wrote_on[0] == behind.primary.server.port
        assert set(client.wrote_on[before:]) == {behind.standby.server.port}
        assert route.move(kind, behind, behind.standby, tools=tools)["already"] is True


def test_clients_are_not_sent_to_a_server_that_takes_no_writes(pair: Living) -> None:
    with pytest.raises(StepFailed, match="it takes no writes") as failed:
        route.move(
            RouteCommand(kind="command", connection="c", command=("x",)), pair.pair, pair.pair.standby, tools=NO_TOOLS
        )
    assert "state normal" in failed.value.left


def test_a_command_that_succeeds_and_moves_nobody_is_found_out(pair: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0 is not proof."""
    monkeypatch.setattr(route, "PROOF_SECONDS", 1.0)
    stuck = replace(pair.pair, endpoint=replace(pair.pair.primary.server))
    fail_over(pair)
    kind = RouteCommand(kind="command", connection="c", command=("true", "{host}"))
    with pytest.raises(StepFailed, match="clients did not arrive at orders-standby within 1 s") as failed:
        route.move(kind, stuck, stuck.standby, tools=tools_of(pair.pair.primary.shell))
    assert "state promoted" in failed.value.left


def test_the_other_server_of_a_split_brain_is_not_arrival(pair: Living) -> None:
    """It accepts the write, and is the wrong one."""
    pair.sql(pair.pair.standby, "select pg_promote(true, 30)")
    stuck = replace(pair.pair, endpoint=pair.pair.primary.server)
    assert "the endpoint leads to server" in route.missed(stuck.endpoint, stuck.standby)
    assert route.missed(stuck.endpoint, stuck.primary) == ""


def test_a_command_that_fails_says_what_it_said(pair: Living) -> None:
    stuck = replace(pair.pair, endpoint=replace(pair.pair.primary.server, port=free_port()))
    kind = RouteCommand(kind="command", connection="c", command=("ls", "/nowhere/{host}"))
    with pytest.raises(StepFailed, match="answered 2: .*No such file"):
        route.move(kind, stuck, stuck.primary, tools=tools_of(pair.pair.primary.shell))


def test_an_edge_that_does_not_answer_is_named(pair: Living) -> None:
    class Away:
        label = "edge"

        def run(self, *command: str, stdin: bytes = b"", seconds: float = 0) -> Done:
            raise Unavailable("SSH failed: no route to host", target=self.label)

    stuck = replace(pair.pair, endpoint=replace(pair.pair.primary.server, port=free_port()))
    kind = RouteCommand(kind="command", connection="c", command=("route-orders",))
    with pytest.raises(StepFailed, match="did not run: SSH failed"):
        route.move(kind, stuck, stuck.primary, tools=tools_of(Away()))
    assert [each.ok for each in route.findings(kind, stuck, tools=tools_of(Away()))] == [False]


def test_whether_the_command_is_there_is_known_before_the_drill(pair: Living) -> None:
    tools = tools_of(pair.pair.primary.shell)
    for command, there in (("pg_ctl", True), ("route-orders", False)):
        kind = RouteCommand(kind="command", connection="c", command=(command,))
        assert [each.ok for each in route.findings(kind, pair.pair, tools=tools)] == [there]


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """Route 53 over real HTTP."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "route53",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    server.stop()


@pytest.fixture
def zone(aws: Any) -> str:
    return str(aws.create_hosted_zone(Name="example.test", CallerReference=str(free_port()))["HostedZone"]["Id"])


def named(pair: Pair) -> Pair:
    """Its servers known by a host's name, and an endpoint with the standby's port: what a CNAME can serve."""
    primary = replace(pair.primary, server=replace(pair.primary.server, host="primary.invalid"))
    standby = replace(pair.standby, server=replace(pair.standby.server, host="localhost"))
    endpoint = replace(standby.server, options={})
    return Pair(pair.name, primary, standby, endpoint)


def test_a_record_in_route_53_is_moved_and_in_sync(pair: Living, aws: Any, zone: str) -> None:
    fail_over(pair)
    kind = Route53(kind="route53", connection="aws", zone=zone, record="orders.example.test", ttl=1)
    tools = Tools(shell=nothing, aws=lambda connection: aws)
    measures = route.move(kind, named(pair.pair), named(pair.pair).standby, tools=tools)
    assert (measures["from"], measures["simulated"], measures["already"]) == ("", True, False)
    assert dns.current(aws, kind) == "localhost"
    again = route.move(kind, named(pair.pair), named(pair.pair).standby, tools=tools)
    assert (again["from"], again["already"]) == ("localhost", True)


def test_a_zone_that_does_not_exist_is_red_before_and_an_error_after(pair: Living, aws: Any) -> None:
    fail_over(pair)
    kind = Route53(kind="route53", connection="aws", zone="Z0NOWHERE", record="orders.example.test", ttl=1)
    tools = Tools(shell=nothing, aws=lambda connection: aws)
    assert not next(iter(route.findings(kind, pair.pair, tools=tools))).ok
    with pytest.raises(StepFailed, match="NoSuchHostedZone"):
        route.move(kind, named(pair.pair), named(pair.pair).standby, tools=tools)


def test_a_record_cannot_lead_to_another_port_or_an_address(pair: Living) -> None:
    port, address = pair.pair, replace(named(pair.pair).standby, server=pair.pair.standby.server)
    assert "cannot change the port" in dns.cannot_lead(replace(port.endpoint, port=1), port.standby)
    assert "must name a host" in dns.cannot_lead(replace(port.endpoint, port=address.server.port), address)
