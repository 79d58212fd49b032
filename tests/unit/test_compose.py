"""docker-compose.yaml, the Dockerfile and what goes with them. That they boot is for `make compose-smoke`."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from day2 import inventory

PROJECT = Path(__file__).parents[2]
COMPOSE = (PROJECT / "docker-compose.yaml").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
ONE_SHOT = {name for name, each in SERVICES.items() if each.get("restart") == "no"}
SECRET = re.compile(
    r"PASSWORD|SECRET_KEY|JWT_SECRET|FERNET|_KEY$|SQL_ALCHEMY_CONN|BROKER_URL|RESULT_BACKEND$|REDISCLI_AUTH"
)
REFERENCE = re.compile(r"\$\{([A-Z0-9_]+)(:\?|:-|\})")
# The worker's: an address at which nothing answers, without a password.
NO_DATABASE = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"


def environment(service: str) -> dict[str, str]:
    return {key: str(value) for key, value in SERVICES[service].get("environment", {}).items()}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make compose-env` has run."""
    folder = tmp_path_factory.mktemp("compose")
    assert generate(folder).returncode == 0
    return folder


def generate(folder: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, PROJECT / "compose/generate_env.py", "--folder", folder)
    path = f"{PROJECT / 'include'}{os.pathsep}{PROJECT}"
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)


def variables(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("service", SERVICES)
def test_every_secret_comes_from_the_environment_and_has_no_default(service: str) -> None:
    secrets = {key: value for key, value in environment(service).items() if SECRET.search(key)}
    for key, value in secrets.items():
        assert value == NO_DATABASE or "${" in value, f"{service}: {key} is written down"
        defaults = [name for name, kind in REFERENCE.findall(value) if kind != ":?"]
        assert not defaults, f"{service}: {key} starts without {defaults}"


def test_a_variable_with_a_default_is_no_secret() -> None:
    optional = {name for name, kind in REFERENCE.findall(COMPOSE) if kind != ":?"}
    assert not {name for name in optional if SECRET.search(name)}


def test_the_generator_writes_every_required_variable(generated: Path) -> None:
    required = {name for name, kind in REFERENCE.findall(COMPOSE) if kind == ":?"}
    assert required == variables(generated).keys()


def test_what_is_generated_is_private_and_different_each_time(generated: Path, tmp_path: Path) -> None:
    files = [generated / ".env", generated / "compose/private/connections.json"]
    assert [stat.S_IMODE(each.stat().st_mode) for each in files] == [0o600, 0o600]
    assert generate(tmp_path).returncode == 0
    first, second = variables(generated), variables(tmp_path)
    assert {name for name in first if first[name] == second[name]} == {"AIRFLOW_UID"}
    assert min(len(value) for name, value in first.items() if name != "AIRFLOW_UID") >= 32


def test_the_generator_never_overwrites(generated: Path) -> None:
    before = variables(generated)
    again = generate(generated)
    assert again.returncode != 0
    assert "nothing was written" in again.stderr
    assert variables(generated) == before


def test_the_generator_prints_no_secret(tmp_path: Path) -> None:
    said = generate(tmp_path)
    assert not [name for name, value in variables(tmp_path).items() if len(value) > 9 and value in said.stdout]


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - ONE_SHOT))
def test_every_service_that_stays_up_has_a_health_check(service: str) -> None:
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_starts_before_what_it_needs_is_ready(service: str) -> None:
    for needed, how in SERVICES[service].get("depends_on", {}).items():
        ready = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert how["condition"] == ready, f"{service} needs {needed}"


def test_every_image_is_pinned() -> None:
    images = {each["image"] for each in SERVICES.values()} - {"day2:local"}
    base = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert images, base
    for image in (*images, *base):
        assert re.search(r":\d+\.\d+", image), f"{image} is not pinned to a release"


def test_no_port_is_open_to_other_machines() -> None:
    published = [str(port) for each in SERVICES.values() for port in each.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_file_of_the_host_can_be_changed_from_a_container(service: str) -> None:
    mounts = [each for each in SERVICES[service].get("volumes", []) if each.startswith((".", "/", "$"))]
    assert [each for each in mounts if not each.endswith(":ro")] == []


def test_an_own_inventory_reaches_whoever_reads_it() -> None:
    reading = SERVICES.keys() - {"postgres", "redis", "demo-source", "demo-s3"}
    mounted = {
        name for name in reading if any("/opt/airflow/inventory:ro" in each for each in SERVICES[name]["volumes"])
    }
    assert mounted == reading


def test_the_worker_knows_neither_airflows_database_nor_its_keys() -> None:
    named = environment("worker")
    text = " ".join(named.values())
    for secret in ("AIRFLOW_DB_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY", "AIRFLOW_API_SECRET_KEY"):
        assert secret not in text
    assert named["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == NO_DATABASE


def test_only_who_signs_and_who_checks_has_the_signing_key() -> None:
    having = {name for name in SERVICES if "AIRFLOW__API_AUTH__JWT_SECRET" in environment(name)}
    assert having == {"api-server", "scheduler"}


def test_no_connection_is_in_an_environment() -> None:
    assert not [key for name in SERVICES for key in environment(name) if key.startswith("AIRFLOW_CONN_")]


def test_a_task_is_never_queued_twice_while_its_lease_lasts() -> None:
    """Redis gives a task to a second worker when the first did not acknowledge it for this long."""
    timeout = int(environment("worker")["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"])
    folders = [PROJECT / "include/environments", PROJECT / "compose/inventory/environments"]
    leases = [
        inventory.load(file).policies.database_backup.lease_ttl.total_seconds()
        for folder in folders
        for file in folder.glob("*.yaml")
    ]
    assert timeout > max(leases)


def test_the_demos_inventory_is_correct_and_its_connections_are_generated(generated: Path) -> None:
    demo = inventory.load(PROJECT / "compose/inventory/environments/demo.yaml")
    wanted = {demo.ledger, *(each.connection for each in (*demo.databases, *demo.repositories))}
    known = yaml.safe_load((generated / "compose/private/connections.json").read_text())
    assert wanted | {"day2_age"} == known.keys()


def test_the_image_runs_the_versions_that_are_tested() -> None:
    pins = [
        set(re.findall(r"^(\S+==\S+)", (PROJECT / file).read_text(), re.MULTILINE))
        for file in ("requirements.txt", "compose/requirements.txt")
    ]
    assert pins[0] <= pins[1], f"run `make lock`: the image lacks {sorted(pins[0] - pins[1])}"


def test_the_image_holds_the_airflow_it_is_made_from() -> None:
    version = re.search(r"^FROM apache/airflow:([\d.]+)-python3\.11$", DOCKERFILE, re.MULTILINE)
    assert version
    assert f"apache-airflow=={version[1]} " in (PROJECT / "compose/requirements.txt").read_text()


@pytest.mark.parametrize("more", [(), ("--file", PROJECT / "compose/develop.yaml")])
def test_compose_accepts_the_file(generated: Path, more: tuple[Any, ...]) -> None:
    done = compose(generated, *more, "--profile", "demo", "config", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    done = compose(tmp_path, "config", "--quiet")
    assert done.returncode != 0
    assert "run make compose-env first" in done.stderr


def compose(folder: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
    """`docker compose` with the variables of that folder only. Needs the client, but no engine."""
    program = shutil.which("docker")
    if not program or subprocess.run((program, "compose", "version"), capture_output=True, check=False).returncode:
        pytest.skip("no `docker compose` here")
    files = ("--env-file", folder / ".env", "--file", PROJECT / "docker-compose.yaml")
    clean = {key: os.environ[key] for key in ("PATH", "HOME", "DOCKER_CONFIG") if key in os.environ}
    command = (program, "compose", *files, *arguments)
    return subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
