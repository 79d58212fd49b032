# The services that run, a unit a line. Changes nothing.
systemctl list-units --plain --no-legend --type=service --state=running | awk '{ print $1 }'
