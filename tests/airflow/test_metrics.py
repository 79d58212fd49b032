"""Metrics out, asked of a real API server's application: who may read them, and what they say. And sources, opened."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from day2 import inventory
from day2.airflow import connections, health_check, sources
from day2.errors import PlanRefused, Unavailable
from day2.inventory.health import HealthPolicy
from day2.ledger.metrics import Sample, Series
from day2.metrics.openmetrics import OPENMETRICS
from day2.operations.health_check import cycle

TOKEN = secrets.token_urlsafe(24)
NOW = datetime.now(UTC)
PATHS = ("/day2/metrics", "/day2/metrics/production")
NOWHERE = (
    '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x", "schema": "x", "password": "s3cr3t-pw"}'
)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made:
        yield made


@pytest.fixture(scope="module")
def application(patch: pytest.MonkeyPatch) -> Any:
    """As the API server runs it: its connections are in its database."""
    patch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "t" * 64)
    patch.setenv("AIRFLOW_CONN_DAY2_LEDGER", NOWHERE)
    from airflow.api_fastapi.app import create_app
    from airflow.models import Connection
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        # The row itself: the SDK's class of that name cannot be stored.
        session.add(Connection(conn_id="day2_scrape", conn_type="http", password=TOKEN))  # noqa: AIR311
    return create_app(apps="core")


def ask(application: Any, path: str, token: str = "", **headers: str) -> Any:
    from fastapi.testclient import TestClient

    headers.setdefault("Accept", OPENMETRICS)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return TestClient(application, raise_server_exceptions=False).get(path, headers=headers)


def of_user(role: str) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token: str = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role=role))
    return token


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A ledger that says this of each environment; an error is raised."""
    from day2.web import exposed, metrics

    sample = Sample(Series("host/web-01", "disk_percent", "/"), NOW, 91.5)
    facts: dict[str, Any] = dict.fromkeys(("production", "staging"), exposed.Facts((sample,)))

    def values(environment: Any) -> Any:
        if isinstance(facts[environment.name], Exception):
            raise facts[environment.name]
        return exposed.exposed(environment, facts[environment.name])

    monkeypatch.setattr(metrics, "values", values)
    return facts


def values_of(answer: Any, name: str) -> dict[str, float]:
    """The values of a metric by environment, read as Prometheus reads them."""
    families = text_string_to_metric_families(answer.text)
    return {each.labels["environment"]: each.value for some in families for each in some.samples if each.name == name}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "nonsense", TOKEN[:-1], TOKEN + "x"])
def test_nobody_without_a_token_reads_anything(application: Any, seen: Any, path: str, token: str) -> None:
    answer = ask(application, path, token)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "disk" not in answer.text


@pytest.mark.parametrize("path", ["/day2/docs", "/day2/openapi.json", "/day2/redoc"])
def test_what_the_application_has_is_not_told_to_strangers(application: Any, path: str) -> None:
    assert ask(application, path).status_code == 404


def test_the_scraper_reads_every_environment(application: Any, seen: Any) -> None:
    answer = ask(application, "/day2/metrics", TOKEN)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert values_of(answer, "day2_environment_up") == {"production": 1, "staging": 1}
    assert values_of(answer, "day2_disk_percent") == {"production": 91.5, "staging": 91.5}


def test_an_older_scraper_gets_the_older_format(application: Any, seen: Any) -> None:
    answer = ask(application, "/day2/metrics", TOKEN, Accept="text/plain")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# EOF" not in answer.text


def test_a_viewer_of_airflow_reads_them_too(application: Any, seen: Any) -> None:
    answer = ask(application, "/day2/metrics/staging", of_user("VIEWER"))
    assert values_of(answer, "day2_disk_percent") == {"staging": 91.5}


def test_who_may_not_see_the_health_check_does_not_learn_that_it_is_there(
    application: Any, seen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    def authorized(*, details: Any, **_: Any) -> bool:
        return bool(details.id == "health_check.staging")

    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", authorized)
    token = of_user("VIEWER")
    assert ask(application, "/day2/metrics/production", token).status_code == 404
    assert set(values_of(ask(application, "/day2/metrics", token), "day2_environment_up")) == {"staging"}


@pytest.mark.parametrize("path", PATHS)
def test_a_ledger_that_is_down_is_no_page_that_looks_healthy(application: Any, path: str) -> None:
    answer = ask(application, path, TOKEN)
    assert answer.status_code == 503
    assert "production: the ledger cannot be reached" in answer.text
    assert "s3cr3t-pw" not in answer.text


def test_one_environment_that_is_down_does_not_hide_the_others(application: Any, seen: Any) -> None:
    seen["production"] = Unavailable("the ledger cannot be reached")
    answer = ask(application, "/day2/metrics", TOKEN)
    assert answer.status_code == 200
    assert values_of(answer, "day2_environment_up") == {"production": 0, "staging": 1}
    assert values_of(answer, "day2_disk_percent") == {"staging": 91.5}


def test_a_broken_inventory_is_told(
    application: Any, seen: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from day2.inventory import environments_folder

    for each in environments_folder().glob("*.yaml"):
        (tmp_path / each.name).write_text(each.read_text() + ("nonsense: 1\n" if each.stem == "staging" else ""))
    monkeypatch.setenv("DAY2_INVENTORY", str(tmp_path))
    answer = ask(application, "/day2/metrics/staging", TOKEN)
    assert (answer.status_code, "its inventory is broken" in answer.text) == (503, True)
    assert values_of(ask(application, "/day2/metrics", TOKEN), "day2_environment_up") == {"production": 1, "staging": 0}


@pytest.mark.parametrize("password", ["", "short"])
def test_a_token_that_is_missing_or_short_lets_nobody_in(
    application: Any, seen: Any, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DAY2_SCRAPE", f'{{"conn_type": "http", "password": "{password}"}}')
    assert ask(application, "/day2/metrics", password or "x").status_code == 401


def http(**fields: Any) -> str:
    return json.dumps({"conn_type": "http", **fields})


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "prom"}, "http://prom/"),
        ({"host": "prom", "port": 9090, "schema": "https"}, "https://prom:9090/"),
        ({"host": "https://prom.example.com/tenant/", "port": 443}, "https://prom.example.com:443/tenant/"),
        ({"host": "http://prom:9090/x", "port": 1, "schema": "https"}, "http://prom:9090/x/"),
        ({"host": "prom", "extra": {"path": "/select/0"}}, "http://prom/select/0"),
    ],
)
def test_a_connection_says_where_a_prometheus_is(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], url: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROM", http(**fields))
    assert connections.prometheus("prom").url == url


def test_a_connection_says_how_to_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"headers": {"X-Scope-OrgID": "shop"}, "verify": "/etc/ca.pem"}
    monkeypatch.setenv("AIRFLOW_CONN_BASIC", http(host="p", login="me", password="pw-12345", extra=extra))
    monkeypatch.setenv("AIRFLOW_CONN_BEARER", http(host="p", password="pw-12345"))
    basic, bearer = connections.prometheus("basic", seconds=3), connections.prometheus("bearer")
    assert (basic.login, basic.headers, basic.verify) == (("me", "pw-12345"), extra["headers"], "/etc/ca.pem")
    assert basic.seconds == 3
    assert (bearer.login, bearer.headers) == (None, {"Authorization": "Bearer pw-12345"})
    monkeypatch.setenv("AIRFLOW_CONN_EMPTY", http(password="pw-12345"))
    with pytest.raises(PlanRefused, match="'empty' lacks a host"):
        connections.prometheus("empty")


def test_a_source_that_cannot_be_opened_is_a_gap_of_its_targets_and_the_others_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOWN", http(host="127.0.0.1", port=1))
    one = {"kind": "prometheus", "queries": {"cpu_percent": "cpu"}}
    policy = HealthPolicy(
        sources=({"kind": "own"}, one | {"connection": "nobody"}, one | {"connection": "down"}), timeout="PT1S"
    )
    environment = {each.name: each for each in inventory.environments()}["production"]
    missing, down = sources.look(environment, policy, ["host/web-01", "database/orders"], now=NOW)
    assert missing.gaps == dict.fromkeys(("host/web-01", "database/orders"), "Airflow has no connection 'nobody'")
    assert set(down.gaps.values()) == {"Prometheus does not answer: ConnectionError"}
    assert missing.samples == down.samples == ()
    with pytest.raises(PlanRefused, match="no connection 'nobody'"):
        list(sources.history(environment, policy, (NOW, NOW), now=NOW))


def test_a_look_has_what_other_sources_say_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, load = Series("host/web-01", "cpu_percent"), Series("host/web-01", "load")
    own = cycle.Looked((Sample(cpu, NOW, 1.0),), {}, {cpu: "a note"})
    other = cycle.Looked((Sample(load, NOW, 2.0), Sample(cpu, NOW, 3.0)), {"host/web-02": "nothing of it"})
    monkeypatch.setattr(sources, "look", lambda *_, **__: [other])
    known = SimpleNamespace(newest=lambda since, until: [Sample(cpu, NOW, 3.0)])
    environment = {each.name: each for each in inventory.environments()}["production"]
    found = health_check._elsewhere(own, environment, ["host/web-01"], known)
    assert found == cycle.Looked((*own.samples, Sample(load, NOW, 2.0)), other.gaps, own.notes)
