# A command that outlives the connection: `start <id> <argument>…` with its script in $payload, or
# `follow <id> <offset> <seconds>`. Its folder holds the script, the log and, once it ended, the exit code.
# It runs as long as the folder's lock is held: no process id that could be another's by now.
verb=$1
folder=/var/lib/day2/jobs/$2
shift 2

running() { [ -e "$folder/lock" ] && ! flock -n "$folder/lock" true; }

case $verb in
start)
    mkdir -p "$folder" || exit
    chmod 700 /var/lib/day2 /var/lib/day2/jobs "$folder"
    if running; then
        echo running
        exit 0
    fi
    token=$$.$(date +%s.%N)
    printf '%s\n' "$payload" >"$folder/script.$token" || exit 28
    # Descriptor 9 is not handed on: a daemon that the job starts would hold the lock for ever.
    setsid sh -c '
        folder=$1 token=$2; shift 2
        exec 9>"$folder/lock"; flock -n 9 || { rm -f "$folder/script.$token"; exit 0; }
        rm -f "$folder/code"; mv "$folder/script.$token" "$folder/script"
        echo "day2: started $(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$folder/log"
        sh "$folder/script" "$@" </dev/null >>"$folder/log" 2>&1 9>&-
        echo $? >"$folder/code.new"; mv "$folder/code.new" "$folder/code"
    ' day2 "$folder" "$token" "$@" </dev/null >/dev/null 2>&1 &
    # It has begun, or another one was faster: either way ours was taken away.
    tries=0
    while [ -e "$folder/script.$token" ] && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    echo started
    ;;
follow)
    if [ ! -d "$folder" ]; then
        echo 'none 0'
        exit 0
    fi
    offset=$1
    deadline=$(($(date +%s) + $2))
    while running && [ "$(date +%s)" -lt "$deadline" ]; do sleep 0.2; done
    if running; then
        echo 'running 0'
    elif [ -e "$folder/code" ]; then
        echo "ended $(cat "$folder/code")"
    else
        echo 'interrupted 0'
    fi
    tail -c "+$((offset + 1))" "$folder/log" 2>/dev/null
    ;;
esac
