# Processes that run code which is no longer on disk: `pid<TAB>unit<TAB>file`, one line a file. Changes nothing.
# A mapped library or program that was replaced shows as deleted; a script does not: there, the file is younger
# than the process. The unit is the cgroup's, or that of the process systemd started.
booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)

# Unit and main process of every running service, a pair a line. Two properties a unit, in any order.
services=
services_known=
running_services() {
    if [ -z "$services_known" ]; then
        units=$(systemctl list-units --plain --no-legend --type=service --state=running 2>/dev/null | awk '{ print $1 }')
        # shellcheck disable=SC2086 - one word a unit
        services=$([ -z "$units" ] || systemctl show --property=Id --property=MainPID $units |
            awk -F= '$1 == "Id" { unit = $2 } $1 == "MainPID" { pid = $2 } unit != "" && pid != "" { print unit, pid; unit = pid = "" }')
        services_known=yes
    fi
}

# The main process of a service, or a descendant of it; else what the cgroup says, if there is such a unit.
unit_of() {
    next=$1
    while [ "${next:-0}" -gt 1 ]; do
        unit=$(echo "$services" | awk -v pid="$next" '$2 == pid { print $1; exit }')
        [ -z "$unit" ] || { echo "$unit"; return; }
        next=$(awk '$1 == "PPid:" { print $2 }' "/proc/$next/status" 2>/dev/null)
    done
    unit=$(sed -n 's|^.*/\([^/]*\.service\).*$|\1|p' "/proc/$1/cgroup" 2>/dev/null | tail -n 1)
    echo "$services" | awk -v unit="$unit" '$1 == unit { print unit; exit }'
}

mapped() {
    awk '$NF == "(deleted)" && $2 ~ /x/ && $6 ~ /^\/(usr|lib|lib32|lib64|bin|sbin|opt|snap)\// { print $6 }' "/proc/$1/maps" 2>/dev/null
}

# Field 22 is the start in ticks since boot; the name in field 2 may hold blanks, so count from its bracket.
started() {
    sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | awk -v boot="$booted" -v hz="$ticks" '{ print int(boot + $20 / hz) }'
}

scripts() {
    since=$(started "$1")
    [ -n "$since" ] || return
    tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | sed -n '1,4p' | while read -r word; do
        case $word in /usr/* | /opt/* | /lib/* | /bin/* | /sbin/*) ;; *) continue ;; esac
        [ -f "$word" ] || continue
        case $word in *.py | *.pl | *.rb | *.jar | *.js) ;; *) [ "$(head -c 2 "$word" 2>/dev/null)" = '#!' ] || continue ;; esac
        changed=$(stat -L -c %Z "$word")
        [ "$changed" -le $((since + 1)) ] || echo "$word"
    done
}

self=$$
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" != "$self" ] || continue
    files=$({ mapped "$pid"; scripts "$pid"; } | sort -u)
    [ -n "$files" ] || continue
    running_services
    unit=$(unit_of "$pid")
    echo "$files" | while read -r file; do printf '%s\t%s\t%s\n' "$pid" "$unit" "$file"; done
done

if command -v needrestart >/dev/null; then
    needrestart -b -r l -l 2>/dev/null | sed -n 's/^NEEDRESTART-SVC: *\(.*\)$/0\t\1\tneedrestart/p'
fi
exit 0
