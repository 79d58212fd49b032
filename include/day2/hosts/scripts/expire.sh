# Remove saved sets and job folders that nobody has used for some days: `<days> <name to keep>…`. Prints what went.
days=$1
shift
for folder in /var/cache/day2/*/ /var/lib/day2/jobs/*/; do
    folder=${folder%/}
    [ -n "$(find "$folder" -maxdepth 0 -mtime +"$days" 2>/dev/null)" ] || continue
    # A job's lock is held for as long as it runs, however old it is.
    [ ! -e "$folder/lock" ] || flock -n "$folder/lock" true || continue
    for name in "$@"; do
        [ "${folder##*/}" != "$name" ] || continue 2
    done
    rm -rf "$folder" && echo "$folder"
done
find /var/lib/day2/jobs -maxdepth 1 -name '*.prepared' -mtime +"$days" -exec rm {} + 2>/dev/null
exit 0
