"""A route's command, and what a DNS record can do."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from day2.operations.dr_drill import dns
from day2.operations.dr_drill.route import substituted
from day2.postgres.server import Server
from tests.unit.drill.nodes import pair


def test_host_and_port_are_put_into_the_arguments() -> None:
    server = Server("10.0.0.7", 5433, "u", "d")
    command = ("route", "--to={host}:{port}", "{host}", "100%", "{other}")
    assert substituted(command, server) == ("route", "--to=10.0.0.7:5433", "10.0.0.7", "100%", "{other}")


def test_an_argument_stays_one_argument_whatever_is_in_it() -> None:
    server = Server("a; rm -rf $(b) {port}", 1, "u", "d")
    assert len(substituted(("route", "{host}"), server)) == 2


def test_a_record_leads_to_a_named_host_with_the_same_port() -> None:
    it = pair()
    assert dns.cannot_lead(it.endpoint, it.primary) == ""
    assert "cannot change the port" in dns.cannot_lead(it.endpoint, it.standby)


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7"])
def test_a_record_cannot_lead_to_an_address(address: str) -> None:
    it = pair()
    known = replace(it.primary, server=replace(it.primary.server, host=address))
    assert "must name a host" in dns.cannot_lead(it.endpoint, known)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://route53.amazonaws.com", False),
        ("https://route53.amazonaws.com.cn", False),
        ("http://127.0.0.1:5000", True),
        ("https://route53.amazonaws.com.evil.test", True),
    ],
)
def test_only_aws_itself_is_not_simulated(url: str, expected: bool) -> None:
    assert dns.simulated(SimpleNamespace(meta=SimpleNamespace(endpoint_url=url))) is expected
