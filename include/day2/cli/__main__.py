"""`python -m day2.cli` is `day2`."""

from day2.cli import app

app(prog_name="day2")
