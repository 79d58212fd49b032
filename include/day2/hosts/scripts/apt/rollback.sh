# Back to the earlier versions from the saved .debs: `<seconds to wait for the lock> [--new <package>…] --old <.deb>…`
# Runs detached. dpkg itself, not apt: a broken package makes apt refuse, and no repository is needed.
seconds=$1
shift
new=
[ "$1" != --new ] || while shift && [ "$1" != --old ]; do new="$new $1"; done
shift
wait_for_lock "$seconds"
code=0
if [ $# -gt 0 ]; then
    dpkg --force-downgrade --force-confdef --force-confold --auto-deconfigure --install "$@" || code=$?
fi
# Only now does nothing need the packages that came with the set.
# shellcheck disable=SC2086
[ -z "$new" ] || dpkg --purge $new || code=$?
dpkg --force-confdef --force-confold --configure --pending || code=$?
exit "$code"
