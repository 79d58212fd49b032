# Installed version of each package: name and version, or `unpacked 1.1` and the like where it is not fully
# installed. A package that is not there gets no line.
for package in "$@"; do
    set -- $(dpkg-query -W -f='${db:Status-Status} ${Version}' "$package" 2>/dev/null)
    case ${1:-not-installed} in
    not-installed | config-files) ;;
    installed) printf '%s\t%s\n' "$package" "$2" ;;
    *) printf '%s\t%s %s\n' "$package" "$1" "$2" ;;
    esac
done
