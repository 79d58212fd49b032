# Processes that run code which is no longer on disk: `pid<TAB>unit<TAB>file`, one line a file. Changes nothing.
# A mapped library or program that was replaced shows as deleted; a script does not: there, the file is younger
# than the process. The unit is the cgroup's, or that of the process systemd started.
booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)

main_pids=
main_pids_known=
unit_of_main() {
    if [ -z "$main_pids_known" ]; then
        main_pids=$(systemctl show --property=MainPID,Id '*.service' 2>/dev/null |
            awk -F= '$1 == "MainPID" { pid = $2 } $1 == "Id" { unit = $2 } NF == 0 { if (pid > 0) print pid, unit; pid = 0 }
                END { if (pid > 0) print pid, unit }')
        main_pids_known=yes
    fi
    echo "$main_pids" | awk -v pid="$1" '$1 == pid { print $2; exit }'
}

unit_of() {
    unit=$(sed -n 's|^.*/\([^/]*\.service\).*$|\1|p' "/proc/$1/cgroup" 2>/dev/null | tail -n 1)
    case $unit in user@*) unit= ;; esac
    next=$1
    while [ -z "$unit" ] && [ "$next" -gt 1 ]; do
        unit=$(unit_of_main "$next")
        next=$(awk '$1 == "PPid:" { print $2 }' "/proc/$next/status" 2>/dev/null)
        next=${next:-0}
    done
    echo "$unit"
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
    unit=$(unit_of "$pid")
    echo "$files" | while read -r file; do printf '%s\t%s\t%s\n' "$pid" "$unit" "$file"; done
done

if command -v needrestart >/dev/null; then
    needrestart -b -r l -l 2>/dev/null | sed -n 's/^NEEDRESTART-SVC: *\(.*\)$/0\t\1\tneedrestart/p'
fi
exit 0
