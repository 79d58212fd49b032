# The services that run and are meant to, a unit a line; one that failed is not among them. Changes nothing.
# Static and transient units come and go as they are asked for: somebody's login, what the bus starts.
units=$(systemctl list-units --plain --no-legend --type=service --state=running | awk '$4 == "running" { print $1 }')
# shellcheck disable=SC2086 - one word a unit
[ -z "$units" ] || systemctl show --property=Id --property=UnitFileState $units | awk -F '\n' -v RS= '{
    unit = state = ""
    for (i = 1; i <= NF; i++) {
        if ($i ~ /^Id=/) unit = substr($i, 4)
        if ($i ~ /^UnitFileState=/) state = substr($i, 15)
    }
    if (state != "static" && state != "transient") print unit
}'
