"""`python -m lab.hosts up|down|status|publish|withdraw|tree`."""

from __future__ import annotations

import typer

from day2.errors import Day2Error
from lab.hosts import build, resident
from lab.hosts.fleet import default_folder, trees_folder
from lab.say import say, timed

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=resident.__doc__)


@app.command()
def up(names: list[str] = typer.Argument(None, help="names of the hosts")) -> None:
    """Boot the hosts, unless they run."""
    with timed("Hosts"):
        resident.ensure(default_folder(), names or resident.NAMES)
    status()


@app.command()
def tree() -> None:
    """Build the tree that hosts share, if this version of it is not there yet."""
    folder = trees_folder(default_folder())
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    say(f"The hosts' tree is {build.golden(folder).tree}")


@app.command()
def down() -> None:
    """End the hosts and all they left."""
    ended = resident.down(default_folder())
    say(f"Ended: {', '.join(ended)}" if ended else "No hosts were running.")


@app.command()
def status() -> None:
    """What runs, and how to log in."""
    fleet = resident.require(default_folder())
    for each in resident.logins(fleet):
        say(f"{each['name']:10} {each['user']}@{each['host']}")
    say(f"ssh -i {fleet.login_key} -o UserKnownHostsFile={fleet.known_hosts} …")


@app.command()
def publish(suite: str, package: str, version: str) -> None:
    """Bring a release into a suite: `publish security acme-agent 1.2-1` is the broken one."""
    resident.require(default_folder()).repository.publish(suite, package, version)
    say(f"acme-{suite} now offers {package} {version}")


@app.command()
def withdraw(suite: str, package: str) -> None:
    """Take a package out of a suite."""
    resident.require(default_folder()).repository.withdraw(suite, package)
    say(f"acme-{suite} no longer offers {package}")


def main() -> None:
    """Run a command; an expected failure is one line, not a traceback."""
    try:
        app()
    except Day2Error as error:
        say(str(error), style="red")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
