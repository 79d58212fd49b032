"""The lab's SSH hosts behave like a real sshd: what a drill relies on, and what it must notice."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import psutil
import pytest

from day2.errors import Unavailable
from day2.hosts.shell import Ssh
from day2.postgres import binaries
from lab.faults import proxy
from lab.files import own_folder
from lab.ports import free_port
from lab.processes import Processes
from lab.ssh import SYSTEM_PATH, Host

from .commands import wait_for
from .ssh import client, shell

BIG = 3_000_000


@pytest.fixture(scope="module")
def host(servers_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    keys = tmp_path_factory.mktemp("ssh")
    home = own_folder(servers_folder / "ssh-home", binaries.unprivileged())
    env = {"PATH": SYSTEM_PATH, "HOME": str(home), "PGDATA": "/data of the server", "LC_ALL": "C"}
    processes = Processes(keys / "run", keys / "logs")
    made = Host("ssh-test", keys, free_port(), env, binaries.unprivileged(), processes)
    made.start()
    made.wait()
    yield made
    processes.stop(made.name)


@pytest.fixture
def login(host: Host) -> Iterator[Ssh]:
    made = shell(host.connection())
    yield made
    made.close()


def test_a_command_gets_the_environment_of_the_servers_login_and_nothing_of_ours(login: Ssh, host: Host) -> None:
    said = dict(line.split("=", 1) for line in login.run("env").stdout.splitlines())
    assert {key: said[key] for key in host.env} == dict(host.env)
    assert set(said) - set(host.env) <= {"PWD", "SHLVL", "_"}
    assert login.run("pwd").stdout.strip() == host.env["HOME"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_command_of_a_lab_that_root_runs_is_not_root(login: Ssh, host: Host) -> None:
    assert login.run("id", "-u").stdout.strip() == str(host.run_as["user"]) != "0"
    assert login.run("id", "-G").stdout.strip() == str(host.run_as["group"])


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_the_exit_code_is_the_commands_own(login: Ssh, code: int) -> None:
    assert login.run("sh", "-c", f"exit {code}").code == code


def test_a_command_that_a_signal_ended_is_no_success(login: Ssh) -> None:
    assert login.run("sh", "-c", "kill -9 $$").code != 0


def test_both_streams_arrive_whole_and_apart(login: Ssh) -> None:
    done = login.run("sh", "-c", f"yes o | head -c {BIG}; yes e | head -c {BIG} >&2; exit 4")
    assert (done.code, set(done.stdout), set(done.stderr)) == (4, {"o", "\n"}, {"e", "\n"})
    assert (len(done.stdout), len(done.stderr)) == (BIG, BIG)


def test_input_arrives_whole_and_ends(login: Ssh) -> None:
    assert login.run("cat", stdin=b"x" * BIG).stdout == "x" * BIG
    assert login.run("cat").stdout == ""


def test_a_command_need_not_read_its_input(login: Ssh) -> None:
    assert login.run("sh", "-c", "exec <&-; sleep 0.3; echo done", stdin=b"x" * 100_000).stdout == "done\n"


def test_arguments_arrive_as_they_were_given(login: Ssh) -> None:
    awkward = ("a b", "'", '"', "$(id)", "`id`", "\\", "*", "é", "")
    assert login.run("printf", r"%s\n", *awkward).stdout.split("\n")[:-1] == list(awkward)


def test_a_daemon_does_not_hold_the_session(login: Ssh) -> None:
    begun = time.monotonic()
    started = login.run("sh", "-c", "setsid sleep 30 >/dev/null 2>&1 </dev/null & echo $!")
    assert time.monotonic() - begun < 5
    psutil.Process(int(started.stdout)).kill()


def test_there_is_no_shell_to_talk_to_and_no_terminal(host: Host) -> None:
    with client(host.connection()) as session:
        channel = session.get_transport().open_session()  # type: ignore[union-attr]
        with pytest.raises(paramiko.SSHException):
            channel.get_pty()
        channel = session.get_transport().open_session()  # type: ignore[union-attr]
        channel.invoke_shell()
        assert channel.recv_exit_status() == 1


def test_another_key_is_refused(host: Host) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        client(host.connection(), key_filename=None, pkey=paramiko.ECDSAKey.generate())
    with pytest.raises(paramiko.AuthenticationException):
        client(host.connection(), key_filename=None, password="guessed")


def test_another_host_key_is_refused_and_said(host: Host) -> None:
    impostor = replace(host, name="ssh-impostor", port=free_port())
    impostor.start()
    try:
        impostor.wait()
        expected = {**host.connection(), "port": impostor.port}
        with pytest.raises(Unavailable, match="does not match"):
            shell(expected).run("true")
    finally:
        host.processes.stop(impostor.name)


def test_a_command_that_takes_too_long_is_given_up_and_ends_there(login: Ssh) -> None:
    with pytest.raises(Unavailable, match="did not end within 1 s"):
        login.run("sleep", "987", seconds=1)
    wait_for(lambda: not sleeping("987"), "the command to end", seconds=10)


def test_a_cut_connection_ends_the_command_but_not_its_daemons(host: Host) -> None:
    with proxy(host.port) as line:
        known = host.connection()
        on_the_way = {**known, "port": line.port}
        channel = client(on_the_way).get_transport().open_session()  # type: ignore[union-attr]
        channel.exec_command("setsid sleep 986 >/dev/null 2>&1 </dev/null & sleep 985")
        wait_for(lambda: sleeping("985") and sleeping("986"), "both to run", seconds=10)
        line.reset()
        wait_for(lambda: not sleeping("985"), "the command to end", seconds=10)
        assert len(daemon := sleeping("986")) == 1
        daemon[0].kill()


def test_a_shell_says_when_its_connection_broke_and_connects_anew(host: Host) -> None:
    with proxy(host.port) as line:
        login = shell({**host.connection(), "port": line.port})
        assert login.run("echo", "one").stdout == "one\n"
        line.reset()
        line.faults.refuse = True
        with pytest.raises(Unavailable, match="SSH failed"):
            login.run("true")
        line.faults.heal()
        assert login.run("echo", "two").stdout == "two\n"
        login.close()


def test_a_connection_that_breaks_under_a_command_is_no_exit_code(host: Host) -> None:
    with proxy(host.port) as line, ThreadPoolExecutor(max_workers=1) as pool:
        login = shell({**host.connection(), "port": line.port})
        running = pool.submit(login.run, "sleep", "984")
        wait_for(lambda: bool(sleeping("984")), "it to run", seconds=10)
        line.reset()
        with pytest.raises(Unavailable, match="the connection broke while the command ran"):
            running.result(timeout=20)


def test_keys_are_private_and_stay_the_same(host: Host) -> None:
    before = host.connection()
    host.start()
    assert host.connection() == before
    secret = list(host.folder.glob("*.key"))
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert "PRIVATE KEY" not in json.dumps(before)


def test_the_airflow_hook_takes_the_connection_and_checks_the_host_key(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SSH_TEST", json.dumps(host.connection()))
    from airflow.providers.ssh.hooks.ssh import SSHHook

    hook = SSHHook("ssh_test")
    assert hook.no_host_key_check is False
    with hook.get_conn() as session:
        assert session.exec_command("echo hook")[1].read() == b"hook\n"


def sleeping(seconds: str) -> list[psutil.Process]:
    wanted: list[Any] = ["sleep", seconds]
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == wanted]
