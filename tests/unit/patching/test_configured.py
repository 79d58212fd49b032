"""What a policy says reaches the steps on a host, tried with a real port, a real page and a real command."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from day2.hosts import drain
from day2.hosts.shell import Local
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import configured
from tests.unit.patching.making import OPENSSL, TZDATA, environment


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"version 1.1")

    def log_message(self, *words):
        """Not into the test's output."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


HOST = environment().hosts[0].model_copy(update={"address": "127.0.0.1"})


def said(*checks: dict) -> list[str]:
    """What each probe answers; empty is well."""
    policy = PatchPolicy.model_validate({"health_checks": checks})
    return [probe() for _, probe in configured.probes(policy, HOST, Local("here"))]


def test_checks_ask_the_hosts_own_address(port):
    url = f"http://{{address}}:{port}/"
    assert said(
        {"kind": "http", "address": url},
        {"kind": "http", "address": url, "expect": r"version 1\.1"},
        {"kind": "tcp", "address": f"{{address}}:{port}"},
        {"kind": "command", "command": ["echo", "I am {host}"], "expect": "I am web-01"},
    ) == ["", "", "", ""]


def test_a_wrong_answer_is_told(port):
    found = said(
        {"kind": "http", "address": f"http://{{address}}:{port}/", "expect": "version 2"},
        {"kind": "http", "address": f"http://{{address}}:{port}/", "status": 204},
        {"kind": "command", "command": ["false"]},
    )
    assert "version 2" in found[0]
    assert "answered 200, not 204" in found[1]
    assert "`false` answered 1" in found[2]


def test_a_host_is_drained_and_put_back_by_the_policys_commands(tmp_path):
    policy = PatchPolicy.model_validate(
        {
            "drain": {
                "drain": {"command": ["touch", f"{tmp_path}/{{host}}"]},
                "undrain": {"command": ["rm", f"{tmp_path}/{{host}}"]},
                "idle": {"command": ["cat"], "stdin": "{host} has 0", "expect": "web-01 has 0"},
            }
        }
    )
    hook = configured.hook(policy, Local("here"))
    drain.drain(hook, "web-01")
    assert (tmp_path / "web-01").exists()
    drain.undrain(hook, "web-01")
    assert not (tmp_path / "web-01").exists()
    assert configured.hook(PatchPolicy(), Local("here")) is None


def test_patience_and_limits_are_the_policys():
    policy = PatchPolicy.model_validate(
        {"health": {"grace": "PT9S", "in_a_row": 2, "flaps": 3}, "lock_timeout": "PT7S", "reboot": {"timeout": "PT3M"}}
    )
    assert configured.health_patience(policy).grace == timedelta(seconds=9)
    assert (configured.health_patience(policy).in_a_row, configured.health_patience(policy).flaps) == (2, 3)
    assert configured.limits(policy).lock == timedelta(seconds=7)
    assert configured.reboot_patience(policy).back == timedelta(minutes=3)


def test_an_approved_package_is_taken_beside_security_and_a_held_or_rejected_one_never():
    wanted = configured.Chosen(policy=PatchPolicy(approved=("tzdata",), rejected=("zlib*",)))
    assert wanted.takes(OPENSSL)
    assert wanted.takes(TZDATA)
    assert not wanted.takes(replace(OPENSSL, held=True))
    assert not wanted.takes(replace(OPENSSL, name="zlib1g"))
    assert not wanted.takes(replace(OPENSSL, candidate=None))
