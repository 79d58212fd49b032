# Keep the .rpms of both sides of a change: `<folder> <spare kilobytes> <before|after> <package.arch=version>…`.
# Prints a line a file: side, package, version, path, bytes, sha256, where it came from.
folder=$1
spare=$2
shift 2
mkdir -p "$folder/before" "$folder/after" || exit
free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt "$spare" ]; then
    say "no space: saving the packages needs $((spare / 1024)) MB in $folder, $((free / 1024)) MB are free"
    exit 28
fi
while [ $# -gt 1 ]; do
    side=$1
    package=${2%%=*}
    version=${2#*=}
    # A file's name has no epoch.
    rpm=$folder/$side/${package%.*}-${version#*:}.${package##*.}.rpm
    # Whole files only: what a killed run left must not look saved.
    [ -e "$rpm" ] || {
        dnf -q download --destdir "$folder/part" "${package%.*}-$version.${package##*.}" >&2 &&
            mv "$folder/part/${rpm##*/}" "$rpm"
    }
    if [ -e "$rpm" ]; then
        sum=$(sha256sum <"$rpm")
        printf '%s\t%s\t%s\t%s\t%s\t%s\tsaved\n' "$side" "$package" "$version" "$rpm" "$(stat -c %s "$rpm")" "${sum%% *}"
    else
        printf '%s\t%s\t%s\t-\t0\t-\tmissing\n' "$side" "$package" "$version"
    fi
    shift 2
done
