"""The endpoint that clients connect to really moves, and moving it is seen by everyone who is connected."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from day2.hosts.shell import Done, Local
from day2.postgres import binaries
from lab.edge import Edge
from lab.ports import LOOPBACK, free_port
from lab.postgres import Server
from lab.processes import Processes
from lab.ssh import SYSTEM_PATH

PORT = "SELECT current_setting('port')::int"


@pytest.fixture(scope="module")
def two(make_postgres: Callable[..., Server]) -> tuple[Server, Server]:
    return make_postgres(), make_postgres()


@pytest.fixture
def edge(servers_folder: Path, tmp_path: Path, two: tuple[Server, Server]) -> Iterator[Edge]:
    run_as = binaries.unprivileged()
    processes = Processes(tmp_path / "run", tmp_path / "logs")
    made = Edge(servers_folder / f"edge-{tmp_path.name}", free_port(), run_as, processes)
    made.make()
    made.send_to(two[0].port)
    made.start()
    yield made
    processes.stop("endpoint-orders")


def route(edge: Edge, *arguments: object) -> Done:
    """As the servers' user on the edge host, who finds it in PATH."""
    env = {"PATH": f"{edge.folder / 'bin'}:{SYSTEM_PATH}"}
    host = Local("edge", env, edge.run_as.get("user"), edge.run_as.get("group"))
    return host.run("route-orders", *map(str, arguments))


def connect(edge: Edge, server: Server) -> psycopg.Connection:
    return psycopg.connect(server.conninfo(port=edge.port, password=server.password), autocommit=True)


def test_clients_reach_the_server_that_the_route_names(edge: Edge, two: tuple[Server, Server]) -> None:
    for server in (*two, two[0]):
        assert route(edge, LOOPBACK, server.port).code == 0
        with connect(edge, server) as session:
            assert session.execute(PORT).fetchone() == (server.port,)


def test_moving_the_route_cuts_who_is_connected(edge: Edge, two: tuple[Server, Server]) -> None:
    with connect(edge, two[0]) as session:
        route(edge, LOOPBACK, two[1].port)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_routing_to_where_it_is_already_cuts_nobody(edge: Edge, two: tuple[Server, Server]) -> None:
    with connect(edge, two[0]) as session:
        assert route(edge, LOOPBACK, two[0].port).code == 0
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_a_client_of_a_dead_server_sees_the_end_at_once(edge: Edge, two: tuple[Server, Server]) -> None:
    route(edge, LOOPBACK, free_port())
    with pytest.raises(psycopg.OperationalError, match="server closed the connection|Connection reset"):
        connect(edge, two[0])


def test_bytes_pass_unchanged_and_a_closed_half_stays_half_open(edge: Edge) -> None:
    listener = socket.create_server((LOOPBACK, 0))
    route(edge, LOOPBACK, listener.getsockname()[1])
    sent = bytes(range(256)) * 8000

    def answer_after_the_end() -> None:
        accepted, _ = listener.accept()
        with accepted:
            received = b"".join(iter(lambda: accepted.recv(65536), b""))
            accepted.sendall(received[::-1])

    threading.Thread(target=answer_after_the_end, daemon=True).start()
    with socket.create_connection((LOOPBACK, edge.port), timeout=20) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(65536), b"")) == sent[::-1]
    listener.close()


def test_a_route_that_makes_no_sense_changes_nothing(edge: Edge, two: tuple[Server, Server]) -> None:
    for wrong in ((), (LOOPBACK,), (LOOPBACK, "5432; id"), (LOOPBACK, "1", "2")):
        done = route(edge, *wrong)
        assert (done.code, done.stdout) == (2, "")
    assert edge.route == two[0].port


def test_the_command_fails_when_the_endpoint_is_gone(edge: Edge, two: tuple[Server, Server]) -> None:
    edge.processes.stop("endpoint-orders")
    done = route(edge, LOOPBACK, two[1].port)
    assert done.code == 1
    assert "did not take over" in done.stderr
    edge.start()
    with connect(edge, two[1]) as session:  # it goes where it was last sent
        assert session.execute(PORT).fetchone() == (two[1].port,)


def test_only_the_servers_user_can_move_the_route(edge: Edge) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (edge.folder, edge.folder / "orders.route")}
    assert modes == {edge.folder.name: 0o700, "orders.route": 0o600}
    script = edge.folder / "bin" / "route-orders"
    subprocess.run(("sh", "-n", script), check=True)
