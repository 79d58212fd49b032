"""Where environments come from, and that one broken file never hides the others."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from day2 import inventory
from tests.unit.inventory.homes import GOOD, Home

TODAY = date(2026, 11, 23)


def test_a_good_file_is_read(home: Home) -> None:
    environment = inventory.load(home.folder / "environments" / "production.yaml", calendars=home.folder / "calendars")
    assert environment.policies.database_backup.rpo == timedelta(hours=26)
    assert environment.database("orders").declared_empty[0].until == date(2027, 6, 30)
    assert inventory.check_all(home.folder) == (environment,)


def test_a_broken_file_leaves_the_other_environments_alone(home: Home) -> None:
    home.write(GOOD.replace("name: production", "name: staging", 1), "staging.yaml")
    home.edit("tier: production", "tier: [")
    assert [each.name for each in inventory.environments(home.folder)] == ["staging"]
    good, broken = inventory.read_all(home.folder)
    assert [each.name for each in good] == ["staging"]
    assert [error.problems[0].file for error in broken] == ["production.yaml"]


def test_check_all_tells_every_problem_of_every_file(home: Home) -> None:
    home.edit("tier: production", "tier: x\nfoo: 1")
    home.write("name: ]", "a.yaml")
    with pytest.raises(inventory.BrokenInventory) as caught:
        inventory.check_all(home.folder)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["a.yaml:1", "production.yaml:2", "production.yaml:3"]


def test_two_files_cannot_have_one_name(home: Home) -> None:
    home.write(GOOD, "copy.yaml")
    assert home.problems() == ["copy.yaml:1: name 'production' is not the file's name; write 'copy'"]


def test_a_file_that_would_be_passed_over_is_a_problem(home: Home) -> None:
    home.write(GOOD, "staging.yml")
    assert home.problems() == ["staging.yml: is not read; rename it to staging.yaml"]


def test_an_editors_hidden_file_is_passed_over(home: Home) -> None:
    home.write("x: [", ".#production.yaml")
    assert home.problems() == []


def test_no_environment_at_all_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(inventory.BrokenInventory, match="no such folder; set DAY2_HOME"):
        inventory.check_all(tmp_path)
    (tmp_path / "environments").mkdir()
    with pytest.raises(inventory.BrokenInventory, match=r"no environment is described here; add a file"):
        inventory.check_all(tmp_path)


def test_the_variables_choose_the_folder(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAY2_INVENTORY", raising=False)
    monkeypatch.delenv("DAY2_HOME", raising=False)
    own = Path(inventory.__file__).parents[2]
    assert inventory.environments_folder() == own / "environments"
    assert inventory.calendars_folder() == own / "calendars"
    monkeypatch.setenv("DAY2_HOME", str(home.folder))
    assert inventory.environments_folder() == home.folder / "environments"
    assert inventory.calendars_folder() == home.folder / "calendars"
    assert [each.name for each in inventory.environments()] == ["production"]
    monkeypatch.setenv("DAY2_INVENTORY", str(tmp_path / "elsewhere"))
    assert inventory.environments_folder() == tmp_path / "elsewhere"
    assert inventory.environments_folder(home.folder) == home.folder / "environments"


def warnings(home: Home) -> list[str]:
    return [str(each) for each in inventory.report(TODAY, home.folder).warnings]


def test_a_good_file_has_no_warning(home: Home) -> None:
    report = inventory.report(TODAY, home.folder)
    assert (report.problems, report.warnings) == ((), ())


def test_an_expired_declaration_is_a_warning(home: Home) -> None:
    home.edit("until: 2027-06-30", "until: 2026-11-22")
    assert warnings(home) == [
        "production.yaml:25: databases/orders: declared_empty[0].until 2026-11-22 is over: "
        "an empty 'public.archive' is a finding again"
    ]


def test_a_declaration_holds_on_its_last_day(home: Home) -> None:
    home.edit("until: 2027-06-30", f"until: {TODAY}")
    assert warnings(home) == []


def test_a_lock_longer_than_retention_is_a_warning(home: Home) -> None:
    home.edit("{days: 30}", "{days: 400}")
    assert warnings(home) == [
        "production.yaml:16: repositories/recovery: object_lock.days 400 is longer than retention keeps anything "
        "(372 days)"
    ]


def test_a_repository_in_a_third_region_is_a_warning(home: Home) -> None:
    home.edit("connection: s3_recovery\n    region: eu-central-1", "connection: s3_recovery\n    region: eu-central1")
    assert warnings(home) == [
        "production.yaml:15: repositories/recovery: region 'eu-central1' is a third region; "
        "did you mean 'eu-central-1'?"
    ]


def test_an_anchor_is_followed_to_where_the_value_stands(home: Home) -> None:
    home.write(
        GOOD.replace("owner: platform", "owner: platform\ntags: &tags {team: 5}").replace(
            "connection: pg_orders\n", "connection: pg_orders\n    tags: *tags\n"
        )
    )
    assert home.problems() == [
        "production.yaml:4: databases/orders: tags.team must be text; put it in quotes",
        "production.yaml:4: tags.team must be text; put it in quotes",
    ]
