# Install exactly the frozen set: `<folder> <seconds to wait for the lock> <package=version>…`. Runs detached.
folder=$1
seconds=$2
shift 2
wait_for_lock "$seconds"
repair || exit

# What `apt-get install` is told by name it marks as wanted by a person: remember what was not.
# shellcheck disable=SC2046
automatic=$(apt-mark showauto $(for each in "$@"; do echo "${each%%=*}"; done) 2>/dev/null)

frozen "$folder" -y --no-remove --allow-downgrades --no-install-recommends \
    -o DPkg::Lock::Timeout="$seconds" -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    install "$@"
code=$?
# shellcheck disable=SC2086
[ -z "$automatic" ] || apt-mark auto $automatic >/dev/null
[ "$code" = 0 ] || say "the packages that are not fully installed: $(dpkg --audit | sed -n 's/^ \([^ ]*\).*/\1/p' | tr '\n' ' ')"
exit "$code"
