"""Each mistake is told with its file, its line, what is wrong and what to write instead."""

from __future__ import annotations

import traceback

import pytest
from pydantic import ValidationError

from day2 import inventory
from day2.inventory import Repository
from tests.unit.inventory.homes import Home

CRON = "write five fields (minute hour day-of-month month day-of-week), such as '0 2 * * *'"
OPERATIONS = (
    "'database_backup', 'database_restore', 'security_patching', 'performance_tuning', 'capacity_review', "
    "'dr_drill', 'health_check', 'scale_resource' or 'configuration_audit'"
)

MISTAKES: dict[str, tuple[str, ...]] = {
    "misspelt field": (
        "owner: platform",
        "ownr: platform",
        "1: field 'owner' is missing",
        "3: unknown field 'ownr'; did you mean 'owner'?",
    ),
    "misspelt field of a database": (
        "connection: pg_orders",
        "conection: pg_orders",
        "18: databases/orders: field 'connection' is missing",
        "19: databases/orders: unknown field 'conection'; did you mean 'connection'?",
    ),
    "field like no other": (
        "primary: eu-west-1, recovery: eu-central-1}",
        "primary: eu-west-1, recovery: eu-central-1, xyz: 1}",
        "6: regions: unknown field 'xyz'; known here: primary, recovery",
    ),
    "number for text": ("owner: platform", "owner: 5", "3: owner must be text; put it in quotes"),
    "empty value": (
        "connection: ssh_web",
        "connection:",
        "35: hosts/web-01: connection has no value; write one, or remove the field",
    ),
    "text for a list": (
        "depends_on: [database/orders]",
        "depends_on: database/orders",
        "37: hosts/web-01: depends_on must be a list; write one `- item` a line",
    ),
    "text for a mapping": (
        "regions: {primary: eu-west-1, recovery: eu-central-1}",
        "regions: eu-west-1",
        "6: regions must be a mapping; write `field: value` lines",
    ),
    "text for a number": (
        "daily: 14",
        "daily: many",
        "64: policies/database_backup: retention.daily must be a whole number",
    ),
    "number out of bounds": (
        "{days: 30}",
        "{days: 0}",
        "16: repositories/recovery: object_lock.days must be greater than or equal to 1",
    ),
    "unknown tier": (
        "tier: production",
        "tier: producton",
        "2: tier 'producton' is not 'production', 'staging' or 'development'; did you mean 'production'?",
    ),
    "name in capitals": (
        "name: billing",
        "name: Billing",
        "26: databases/Billing: name 'Billing' is not a name; use lower-case letters, digits and '-', at most 63, "
        "such as 'web-01'",
    ),
    "date that is none": (
        "until: 2027-06-30",
        "until: next year",
        "25: databases/orders: declared_empty[0].until is not a date; write it as 2027-06-30",
    ),
    "short reason": (
        "reason: not used yet",
        "reason: x",
        "24: databases/orders: declared_empty[0].reason must have at least 3 characters",
    ),
    "number for a duration": (
        "rpo: PT26H",
        "rpo: 26",
        "58: policies/database_backup: rpo 26 is not an ISO 8601 duration; write PT26H, PT30M or P7D",
    ),
    "malformed duration": (
        "rpo: PT26H",
        "rpo: P26X",
        "58: policies/database_backup: rpo is not an ISO 8601 duration; write PT26H, PT30M or P7D",
    ),
    "no duration": ("duration: PT4H", "duration: PT0S", "52: windows/sunday: duration must be longer than nothing"),
    "negative cutoff": ("cutoff: PT1H", "cutoff: -PT1H", "53: windows/sunday: cutoff must not be negative"),
    "cutoff past the end": (
        "cutoff: PT1H",
        "cutoff: PT4H",
        "53: windows/sunday: cutoff leaves no time to begin; make it shorter than duration",
    ),
    "unknown time zone": (
        "timezone: Europe/Berlin",
        "timezone: Europe/Berln",
        "4: timezone 'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'?",
    ),
    "time zone like no other": (
        "timezone: Europe/Berlin",
        "timezone: here",
        "4: timezone 'here' is not a time zone; write an IANA name such as 'Europe/Berlin', or 'UTC'",
    ),
    "cron with four fields": (
        "schedule: 0 2 * * *",
        "schedule: 0 2 * *",
        f"57: policies/database_backup: schedule '0 2 * *' is not cron; {CRON}",
    ),
    "cron out of range": (
        "start: 0 1 * * 0",
        "start: 0 25 * * 0",
        f"51: windows/sunday: start '0 25 * * 0' is not cron; {CRON}",
    ),
    "cron preset": (
        "schedule: 0 2 * * *",
        'schedule: "@daily"',
        f"57: policies/database_backup: schedule '@daily' is not cron; {CRON}",
    ),
    "random cron": (
        "schedule: 0 2 * * *",
        "schedule: R 2 * * *",
        f"57: policies/database_backup: schedule 'R 2 * * *' is not cron; {CRON}",
    ),
    "cron that never fires": (
        "schedule: 0 2 * * *",
        "schedule: 0 2 30 2 *",
        "57: policies/database_backup: schedule '0 2 30 2 *' never fires; choose a day that its month has",
    ),
    "unknown operation of a window": (
        "operations: [security_patching]",
        "operations: [patching]",
        f"54: windows/sunday: operations[0] 'patching' is not {OPERATIONS}; did you mean 'security_patching'?",
    ),
    "unknown dependency": (
        "- database/billing",
        "- database/biling",
        "42: services/shop: depends_on[1] 'database/biling' is unknown; did you mean 'database/billing'?",
    ),
    "dependency without its kind": (
        "- database/billing",
        "- billing",
        "42: services/shop: depends_on[1] 'billing' is unknown; did you mean 'database/billing'?",
    ),
    "unknown target of a module": (
        "manages: [host/web-01]",
        "manages: [host/web-02]",
        "48: modules/hosts: manages[0] 'host/web-02' is unknown; did you mean 'host/web-01'?",
    ),
    "circle of dependencies": (
        "depends_on: [database/orders]",
        "depends_on: [service/shop]",
        "40: services/shop: depends_on makes a circle: service/shop → host/web-01 → service/shop; remove one of them",
    ),
    "name given twice": (
        "name: billing",
        "name: orders",
        "26: databases/orders: name 'orders' is already the name of another one; every name in databases must differ",
        "42: services/shop: depends_on[1] 'database/billing' is unknown; "
        "known here: database/orders, host/web-01, service/shop",
    ),
    "database given twice": (
        "connection: pg_billing",
        "connection: pg_orders",
        "27: databases/billing: connection 'pg_orders' is what 'orders' uses; one database has one name, or set dbname",
    ),
    "unknown region": (
        "connection: pg_billing\n    region: eu-west-1",
        "connection: pg_billing\n    region: eu-west1",
        "28: databases/billing: region 'eu-west1' is neither the primary nor the recovery region; "
        "did you mean 'eu-west-1'?",
    ),
    "unknown region of a standby": (
        "{connection: pg_standby, region: eu-central-1}",
        "{connection: pg_standby, region: mars}",
        "21: databases/orders: standby.region 'mars' is neither the primary nor the recovery region; "
        "known here: eu-west-1, eu-central-1",
    ),
    "unknown calendar": (
        "calendar: changes.ics",
        "calendar: change.ics",
        "5: calendar 'change.ics' is not in the calendars folder; did you mean 'changes.ics'?",
    ),
    "unknown copy": (
        "copies: [recovery]",
        "copies: [recover]",
        "59: policies/database_backup: copies[0] 'recover' is unknown; did you mean 'recovery'?",
    ),
    "copy that is the original": (
        "copies: [recovery]",
        "copies: [primary]",
        "59: policies/database_backup: copies[0] 'primary' is the place of 'primary' already, so it is no copy; "
        "remove it",
    ),
    "copy to the same place by another name": (
        "url: s3://vault/production",
        "url: s3://backups/production/",
        "59: policies/database_backup: copies[0] 'recovery' is the place of 'primary' already, so it is no copy; "
        "remove it",
    ),
    "copy given twice": (
        "copies: [recovery]",
        "copies: [recovery, recovery]",
        "59: policies/database_backup: copies[1] 'recovery' is the place of 'recovery' already, so it is no copy; "
        "remove it",
    ),
    "unknown repository": (
        "rpo: PT26H",
        "rpo: PT26H\n    repository: primry",
        "59: policies/database_backup: repository 'primry' is unknown; did you mean 'primary'?",
    ),
    "objective shorter than the schedule": (
        "rpo: PT26H",
        "rpo: PT12H",
        "58: policies/database_backup: rpo of 12 h 00 min is shorter than the longest gap of schedule '0 2 * * *' "
        "(25 h 00 min, when clocks go back in Europe/Berlin); write PT25H or more, or run it more often",
    ),
    "objective forgets the weekend": (
        "schedule: 0 2 * * *",
        "schedule: 0 2 * * 1-5",
        "58: policies/database_backup: rpo of 26 h 00 min is shorter than the longest gap of schedule '0 2 * * 1-5' "
        "(73 h 00 min, when clocks go back in Europe/Berlin); write PT73H or more, or run it more often",
    ),
    "default objective shorter than a weekly schedule": (
        "schedule: 0 2 * * *\n    rpo: PT26H",
        "schedule: 0 2 * * 0",
        "56: policies/database_backup: rpo of 26 h 00 min is shorter than the longest gap of schedule '0 2 * * 0' "
        "(169 h 00 min, when clocks go back in Europe/Berlin); write PT169H or more, or run it more often",
    ),
    "score without a copy": (
        "copies: [recovery]",
        "copies: []",
        "56: policies/database_backup: required_score 3-2-1-1-0 cannot be reached by 'orders': its repositories give "
        "2-2-0-0-0 at best; add to copies, or write 2-2-0-0-0",
    ),
    "override with a score that cannot be": (
        "engine: logical",
        "required_score: 3-2-2-1-0",
        "31: databases/billing: policies.database_backup.required_score 3-2-2-1-0 cannot be reached by 'billing': its "
        "repositories give 3-2-1-1-0 at best; add to copies, or write 3-2-1-1-0",
    ),
    "malformed score": (
        "engine: logical",
        "required_score: 3-2-1",
        "31: databases/billing: policies.database_backup.required_score is not a score; write 3-2-1-1-0",
    ),
    "lock of a folder": (
        "url: s3://vault/production",
        "url: file:///srv/vault",
        "16: repositories/recovery: object_lock cannot be had in a folder; remove it or use s3://",
    ),
    "malformed key": (
        '"connection:day2_age"',
        "age1xyz",
        "61: policies/database_backup: encryption.recipients[0] 'age1xyz' is not an age public key; write age1… "
        "(62 characters), or connection:<id> when the public key is that Airflow connection's login",
    ),
    "no recipients": (
        '["connection:day2_age"]',
        "[]",
        "61: policies/database_backup: encryption.recipients must not be empty",
    ),
    "misspelt none": (
        'encryption:\n      recipients: ["connection:day2_age"]\n      identity: day2_age',
        "encryption: nne",
        "60: policies/database_backup: encryption 'nne' is not 'none'; did you mean 'none'?",
    ),
    "override of a field that is not there": (
        "engine: logical",
        "enigne: logical",
        "31: databases/billing: policies.database_backup: unknown field 'enigne'; did you mean 'engine'?",
    ),
    "override with a bad value": (
        "engine: logical",
        "engine: logicl",
        "31: databases/billing: policies.database_backup.engine 'logicl' is not 'physical' or 'logical'; "
        "did you mean 'logical'?",
    ),
    "override of an unknown operation": (
        "      database_backup:\n        engine: logical",
        "      databse_backup:\n        engine: logical",
        "30: databases/billing: policies: unknown operation 'databse_backup'; did you mean 'database_backup'?",
    ),
    "override with an unknown copy": (
        "engine: logical",
        "copies: [recovry]",
        "31: databases/billing: policies.database_backup.copies[0] 'recovry' is unknown; did you mean 'recovery'?",
    ),
    "override with too short an objective": (
        "engine: logical",
        "rpo: PT1H",
        "31: databases/billing: policies.database_backup.rpo of 1 h 00 min is shorter than the longest gap of "
        "schedule '0 2 * * *' (25 h 00 min, when clocks go back in Europe/Berlin); write PT25H or more, "
        "or run it more often",
    ),
    "override of what belongs to the run": (
        "engine: logical",
        "schedule: 0 * * * *",
        "31: databases/billing: policies.database_backup.schedule belongs to the run, not to one database; "
        "set it in policies.database_backup of the environment",
    ),
    "address for http": (
        '"https://shop.example.com/health"',
        "shop.example.com",
        "44: services/shop: health_checks[0].address must start with http:// or https:// when kind is http",
    ),
    "address for tcp": (
        '"shop.example.com:443"',
        "shop.example.com",
        "45: services/shop: health_checks[1].address must be host:port when kind is tcp",
    ),
    "address for sql": (
        "{kind: sql, address: pg_orders}",
        '{kind: sql, address: "pg orders"}',
        "46: services/shop: health_checks[2].address must be a connection id when kind is sql",
    ),
    "name of another file": (
        "name: production",
        "name: prod",
        "1: name 'prod' is not the file's name; write 'production', or rename the file to prod.yaml",
    ),
    "repeated key": (
        "tier: production",
        "owner: someone\ntier: production",
        "4: 'owner' is given twice in one mapping; keep one of them",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_what_to_write(home: Home, mistake: str) -> None:
    old, new, *expected = MISTAKES[mistake]
    home.edit(old, new)
    assert home.problems() == [f"production.yaml:{each}" for each in expected]


SECRETS = {
    "password in a connection": (
        "connection: pg_orders\n    region",
        "connection: postgres://u:hunter2@h/db\n    region",
    ),
    "password in a repository": ("s3://backups/production", "s3://key:hunter2@backups/production"),
    "password in a health check": ("https://shop.example.com", "https://u:hunter2@shop.example.com"),
    "secret key as recipient": ('"connection:day2_age"', "AGE-SECRET-KEY-1HUNTER2"),
}


@pytest.mark.parametrize("mistake", SECRETS)
def test_a_secret_in_the_file_is_refused_and_never_repeated(home: Home, mistake: str) -> None:
    home.edit(*SECRETS[mistake])
    with pytest.raises(inventory.BrokenInventory) as caught:
        inventory.check_all(home.folder)
    assert len(caught.value.problems) == 1
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)).lower()


def test_the_model_alone_does_not_repeat_a_secret_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Repository(name="primary", url="s3://key:hunter2@bucket/x", region="eu")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("objective", "good"), [("PT25H", True), ("PT24H59M", False)])
def test_an_objective_as_long_as_the_longest_gap_is_enough(home: Home, objective: str, good: bool) -> None:
    home.edit("rpo: PT26H", f"rpo: {objective}")
    assert (home.problems() == []) is good


TEXTS = {
    "": "1: the file is empty; start with `name: production`",
    "- a": "1: the file is not a mapping; start with `name: production`",
    "name: production\nowner: [a\ntier: x\n": "3: not YAML: did not find expected ',' or ']'",
    "name: x\n\ttier: y": "2: not YAML: found a tab character that violates indentation; indent with spaces",
    "name: x\nowner: \x01": "2: not YAML: control characters are not allowed; remove it",
    "name: !!python/name:os.system x": "1: not YAML: could not determine a constructor for the tag "
    "'tag:yaml.org,2002:python/name:os.system'",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_that_is_no_yaml_mapping_is_told_with_its_line(home: Home, text: str) -> None:
    home.write(text)
    assert home.problems() == [f"production.yaml:{TEXTS[text]}"]


def test_a_file_that_cannot_be_read_says_so(home: Home) -> None:
    (home.folder / "environments" / "bytes.yaml").write_bytes(b"name: \xff")
    (home.folder / "environments" / "folder.yaml").mkdir()
    assert home.problems() == [
        "bytes.yaml:1: cannot be read: it is not UTF-8 text",
        "folder.yaml:1: cannot be read: Is a directory",
    ]
