# Back to the earlier versions from the saved .rpms: `<seconds to wait for the lock> [--new <package>…] --old <.rpm>…`
# Runs detached. rpm itself, not dnf: no repository is needed.
seconds=$1
shift
new=
[ "$1" != --new ] || while shift && [ "$1" != --old ]; do new="$new $1"; done
shift
wait_for_lock "$seconds"
code=0
[ $# = 0 ] || rpm --upgrade --oldpackage --replacepkgs "$@" || code=$?
# shellcheck disable=SC2086
[ -z "$new" ] || rpm --erase $new || code=$?
exit "$code"
