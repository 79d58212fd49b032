"""What a Prometheus answers becomes samples, and what it does not measure becomes none. Its answers here are real."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.errors import StepFailed, Unavailable
from day2.metrics.prometheus import MOST_POINTS, Prometheus, pieces

T0 = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
# As Prometheus 2.42 spells them.
VECTOR = """{"status":"success","data":{"resultType":"vector","result":[
 {"metric":{"__name__":"node_load1","instance":"a:9100"},"value":[1804561200.5,"0.25"]},
 {"metric":{"__name__":"node_load1","instance":"b:9100"},"value":[1804561200.5,"NaN"]},
 {"metric":{"__name__":"node_load1","instance":"c:9100"},"value":[1804561200.5,"+Inf"]},
 {"metric":{"__name__":"latency"},"histogram":[1804561200.5,{"count":"1","sum":"1","buckets":[]}]}]}}"""
SCALAR = '{"status":"success","data":{"resultType":"scalar","result":[1804561200,"42"]}}'
MATRIX = '{"status":"success","data":{"resultType":"matrix","result":[]}}'
BAD = '{"status":"error","errorType":"bad_data","error":"1:9: parse error: unclosed left parenthesis"}'
SLOW = '{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}'


class Answering(HTTPServer):
    """Answers what it is told to, and remembers what it was asked."""

    status, body = 200, VECTOR

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/prom/"


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append((self.path, {key: value[0] for key, value in form.items()}, self.headers))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def test_what_is_not_a_number_is_a_gap(server: Answering) -> None:
    found = Prometheus(server.url).instant("node_load1")
    moment = datetime.fromtimestamp(1804561200.5, UTC)
    assert found == {frozenset({("__name__", "node_load1"), ("instance", "a:9100")}): [(moment, 0.25)]}


def test_a_scalar_is_a_series_without_labels(server: Answering) -> None:
    server.body = SCALAR
    assert Prometheus(server.url).instant("42") == {frozenset(): [(datetime.fromtimestamp(1804561200, UTC), 42.0)]}


def test_a_range_where_one_value_is_meant_is_refused(server: Answering) -> None:
    server.body = MATRIX
    with pytest.raises(StepFailed, match=r"`up\[5m\]` gives a matrix, not one value a series"):
        Prometheus(server.url).instant("up[5m]")


def test_a_bad_query_is_told_in_prometheus_own_words(server: Answering) -> None:
    server.status, server.body = 400, BAD
    with pytest.raises(StepFailed, match=r"`sum\(up` was refused: 1:9: parse error: unclosed left parenthesis"):
        Prometheus(server.url).instant("sum(up")


@pytest.mark.parametrize(("status", "body"), [(503, SLOW), (502, "<html>Bad Gateway"), (429, "")])
def test_a_server_that_cannot_answer_now_may_later(server: Answering, status: int, body: str) -> None:
    server.status, server.body = status, body
    with pytest.raises(Unavailable, match="cannot answer now"):
        Prometheus(server.url).instant("up")


@pytest.mark.parametrize("body", ["<html>please log in</html>", "[]", ""])
def test_a_page_for_people_is_no_answer(server: Answering, body: str) -> None:
    server.body = body
    with pytest.raises(StepFailed, match="no answer of a Prometheus"):
        Prometheus(server.url).instant("up")


def test_a_refused_login_is_no_gap_of_a_query(server: Answering) -> None:
    server.status, server.body = 401, "Unauthorized"
    with pytest.raises(StepFailed, match="refuses us") as told:
        Prometheus(server.url, ("me", "s3cr3t-pw")).instant("up")
    assert told.value.runbook == "Credentials refused"
    assert "s3cr3t" not in str(told.value)


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not answer: ConnectionError"):
        Prometheus("http://127.0.0.1:1", seconds=1).instant("up")


def test_the_login_and_the_headers_are_sent_and_never_shown(server: Answering) -> None:
    client = Prometheus(server.url, ("me", "secret"), {"X-Scope-OrgID": "shop"})
    client.instant("up")
    path, form, headers = server.asked[0]
    assert path == "/prom/api/v1/query"
    assert form["query"] == "up"
    assert headers["Authorization"].startswith("Basic ")
    assert headers["X-Scope-OrgID"] == "shop"
    assert "secret" not in repr(client)
    assert "shop" not in repr(client)


def test_a_long_range_is_asked_in_pieces_and_put_together(server: Answering) -> None:
    server.body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"instance": "a"}, "values": [[1804561200, "1"], [1804561260, "NaN"]]},
        {"metric": {"instance": "b"}, "values": [[1804561200, "NaN"]]},
    ]}})  # fmt: skip
    found = Prometheus(server.url).range("up", T0, T0 + timedelta(days=10), timedelta(minutes=1))
    assert len(server.asked) == 2
    assert [(labels, len(points)) for labels, points in found.items()] == [(frozenset({("instance", "a")}), 2)]


@given(st.integers(0, 50_000), st.integers(1, 90))
def test_pieces_ask_for_every_moment_once(steps: int, seconds: int) -> None:
    step = timedelta(seconds=seconds)
    found = list(pieces(T0, T0 + steps * step + step / 2, step))
    lasts = [since + (until - since) // step * step for since, until in found]
    assert max((last - since) // step + 1 for (since, _), last in zip(found, lasts, strict=True)) <= MOST_POINTS
    assert [since for since, _ in found] == [T0, *(last + step for last in lasts[:-1])]
    assert lasts[-1] == T0 + steps * step


def test_a_range_needs_a_step_that_leads_somewhere() -> None:
    with pytest.raises(ValueError, match="leads nowhere"):
        list(pieces(T0, T0 + timedelta(days=1), timedelta(0)))
