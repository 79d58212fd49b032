"""`day2 inventory` as an operator runs it, and the files in the project that it is about."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from day2 import inventory
from day2.cli import app
from day2.inventory import reference, schema
from tests.unit.inventory.homes import GOOD, Home

PROJECT = Path(inventory.__file__).parents[3]
OWN_FILES = sorted((PROJECT / "include/environments").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _this_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAY2_INVENTORY", raising=False)
    monkeypatch.setenv("DAY2_HOME", str(home.folder))


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["inventory", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_check_says_what_it_read() -> None:
    assert run("check") == (0, "ok      production: 2 databases, 1 host, 1 service\n", "")


def test_check_tells_every_problem_and_fails(home: Home) -> None:
    home.edit("tier: production", "tier: x")
    folder = home.folder / "environments"
    status, out, err = run("check")
    assert (status, out) == (1, "")
    assert err == (
        "error   production.yaml:2: tier 'x' is not 'production', 'staging' or 'development'\n"
        f"day2: 1 to correct in {folder}.\n"
    )


def test_check_passes_with_a_warning(home: Home) -> None:
    home.edit("until: 2027-06-30", "until: 2020-01-01")
    status, _, err = run("check")
    assert status == 0
    assert err.startswith("warning production.yaml:25: databases/orders: declared_empty[0].until 2020-01-01 is over")


def test_list_prints_every_target_as_a_table() -> None:
    status, out, _ = run("list")
    rows = [line.split() for line in out.splitlines()]
    assert status == 0
    assert rows[0] == ["environment", "kind", "name", "region", "owner", "engine", "schedule", "rpo"]
    assert [row[2] for row in rows[1:]] == ["orders", "billing", "web-01", "shop"]


def test_list_prints_the_same_as_json_and_csv() -> None:
    as_json = json.loads(run("list", "--format", "json")[1])
    as_csv = list(csv.DictReader(run("list", "--format", "csv")[1].splitlines()))
    assert as_json == as_csv
    assert as_json[1] == {
        "environment": "production",
        "kind": "database",
        "name": "billing",
        "region": "eu-west-1",
        "owner": "platform",
        "engine": "logical",
        "schedule": "0 2 * * *",
        "rpo": "26 h 00 min",
    }


def test_list_never_passes_for_complete_when_a_file_is_broken(home: Home) -> None:
    home.write(GOOD.replace("name: production", "name: staging", 1), "staging.yaml")
    home.edit("tier: production", "tier: x")
    status, out, err = run("list")
    assert status == 1
    assert "staging" in out
    assert err == "day2: production.yaml:2: tier 'x' is not 'production', 'staging' or 'development'\n"


def test_schema_is_written_and_checked(home: Home) -> None:
    path = home.folder / "environments" / "environment.schema.json"
    status, _, err = run("schema", "--check")
    assert (status, err) == (1, f"day2: {path} is not current · Next: run `day2 inventory schema --write`.\n")
    assert run("schema", "--write")[0] == 0
    assert run("schema", "--check")[0] == 0
    assert run("schema")[1] == path.read_text(encoding="utf-8")


def test_an_expected_failure_is_one_line_and_no_traceback(home: Home) -> None:
    home.write("name: [")
    command = [sys.executable, "-m", "day2.cli", "inventory", "list", "--format", "csv"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "include")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "day2: production.yaml:2: not YAML: did not find expected node content\n"


def test_the_projects_own_inventory_is_good() -> None:
    assert [each.name for each in inventory.check_all(PROJECT / "include")] == ["production", "staging"]


def test_the_projects_schema_is_current() -> None:
    committed = (PROJECT / "include/environments" / schema.FILE_NAME).read_text(encoding="utf-8")
    assert committed == schema.text(), "run `day2 inventory schema --write`"


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_editors_find_the_schema_in_the_first_line(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={schema.FILE_NAME}"


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_the_schema_accepts_what_we_accept(path: Path) -> None:
    data = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
    jsonschema.Draft202012Validator(json.loads(schema.text())).validate(data)


def test_the_schema_refuses_a_misspelt_override() -> None:
    data = yaml.safe_load(GOOD.replace("engine: logical", "enigne: logical"))
    data = json.loads(json.dumps(data, default=str))
    errors = list(jsonschema.Draft202012Validator(json.loads(schema.text())).iter_errors(data))
    assert ["enigne" in each.message for each in errors] == [True]


def test_the_documented_fields_are_current() -> None:
    documented = (PROJECT / "docs/inventory.md").read_text(encoding="utf-8").partition("<!-- fields -->\n")[2]
    assert documented == reference.markdown(), "paste the output of `day2 inventory fields`"


def test_the_documented_smallest_file_is_good(home: Home) -> None:
    guide = (PROJECT / "docs/inventory.md").read_text(encoding="utf-8")
    home.write(guide.partition("```yaml\n")[2].partition("```")[0], "staging.yaml")
    assert home.problems() == []


def test_every_field_says_what_it_means() -> None:
    assert " |  |" not in reference.markdown()


def test_reading_the_inventory_imports_nothing_heavy() -> None:
    heavy = {"boto3", "pandas", "great_expectations", "psycopg", "sqlalchemy", "rich", "typer", "airflow"}
    code = f"import sys; from day2 import inventory; inventory.check_all(); print({heavy} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "include")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
