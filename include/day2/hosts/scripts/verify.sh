# Which of these files, given as path and sha256, are gone or not those bytes.
while [ $# -gt 1 ]; do
    sum=$(sha256sum 2>/dev/null <"$1")
    [ "${sum%% *}" = "$2" ] || echo "$1"
    shift 2
done
