# How what is installed compares with these `package=version`: package, installed version, and whether it is
# older, same or newer; held, absent or not.
held=$(dnf -q versionlock list 2>/dev/null | sed 's/-[^-]*-[^-]*$//')
for each in "$@"; do
    package=${each%%=*}
    have=$(rpm -q --queryformat '%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n' "$package") || have=
    have=$(echo "$have" | tail -n 1)
    if [ -z "$have" ]; then
        relation=absent
    elif echo "$held" | grep -qxF "${package%.*}"; then
        relation=held
    else
        relation=$("$(python_of_dnf)" -c '
import re, sys, rpm
labels = [re.fullmatch(r"(?:(\d+):)?(.+)-([^-]+)", each).groups() for each in sys.argv[1:]]
have, wanted = [(epoch or "0", version, release) for epoch, version, release in labels]
print(("older", "same", "newer")[rpm.labelCompare(have, wanted) + 1])
' "$have" "${each#*=}") || exit
    fi
    printf '%s\t%s\t%s\n' "$package" "$have" "$relation"
done
