"""`python -m lab up|down|demo|status|clean`."""

from __future__ import annotations

import typer

from day2.errors import Day2Error
from lab import boot, halt
from lab.airflow import ACCOUNTS, Airflow
from lab.say import say, say_slowest

INTERRUPTED = 130  # what typer exits with after Ctrl-C

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The lab: a real fleet on this machine.",
)


@app.command()
def up(
    scale: int = typer.Option(1, min=1, help="multiplies the seeded rows, at the first boot"),
    airflow: bool = typer.Option(True, help="boot Airflow too, not only the servers it operates"),
    hosts: bool = typer.Option(True, help="boot the hosts that are patched too, where this machine can"),
) -> None:
    """Boot the fleet and Airflow; what runs already stays as it is."""
    lab = boot.up(scale=scale, airflow=airflow, hosts=hosts)
    say_slowest()
    if airflow:
        say_where(lab.airflow)


@app.command()
def down() -> None:
    """Stop every process the lab started, and no other."""
    stopped = halt.down()
    say(f"Stopped: {', '.join(sorted(stopped))}" if stopped else "Nothing was running.")


@app.command()
def demo(dag: str = typer.Option("database_backup.production", help="the DAG to run")) -> None:
    """Boot, run one real operation, follow it, and show what the ledger has on it."""
    from lab import demo, demo_health, demo_patching, demo_tuning

    lab = boot.up()
    shows = {
        "security_patching": demo_patching.run,
        "performance_tuning": demo_tuning.run,
        "health_check": demo_health.run,
    }
    show = shows.get(dag.partition(".")[0], demo.run)
    passed = show(lab, dag)
    say_slowest()
    say_where(lab.airflow)
    raise typer.Exit(0 if passed else 1)


@app.command()
def status() -> None:
    """What runs."""
    for name, pid in halt.status().items():
        say(f"{name:24} {'pid ' + str(pid) if pid else 'not running'}")


@app.command()
def clean() -> None:
    """Stop everything and remove the lab's state, backups included."""
    halt.clean()


def say_where(airflow: Airflow) -> None:
    """The address and the accounts. `admin` is for work on this machine and stays in its file."""
    say("")
    say(f"Airflow   {airflow.url}", style="bold")
    for account in ACCOUNTS:
        if account != "admin":
            say(f"  {account:9} {airflow.passwords[account]}")
    say(f"  admin     see {airflow.places.airflow / 'passwords.json'}")
    say("Nobody approves their own request: trigger as operator, approve as approver.")
    say("Stop everything with `make down`.")


def main() -> None:
    """Run a command; an expected failure is one line, not a traceback."""
    try:
        app()
    except Day2Error as error:
        say(str(error), style="red")
        raise SystemExit(1) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            say("Interrupted. What was started goes on running: `make down` stops it, `make up` goes on from here.")
        raise


if __name__ == "__main__":
    main()
