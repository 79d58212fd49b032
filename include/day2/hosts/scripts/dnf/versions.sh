# Installed version of each package: name and version. A package that is not there gets no line.
for package in "$@"; do
    version=$(rpm -q --queryformat '%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n' "$package") || continue
    # Of a package that is installed twice, as kernels are, the newest came last.
    printf '%s\t%s\n' "$package" "$(echo "$version" | tail -n 1)"
done
