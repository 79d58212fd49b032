# Restart units and look whether they stay: `<seconds> <unit>…`. Prints those that do not run, with their state.
settle=$1
shift
code=0
systemctl daemon-reload || code=$?
for unit in "$@"; do
    systemctl restart "$unit" || code=$?
done
sleep "$settle"
for unit in "$@"; do
    state=$(systemctl is-active "$unit") || printf '%s %s\n' "$unit" "${state:-unknown}"
done
exit "$code"
