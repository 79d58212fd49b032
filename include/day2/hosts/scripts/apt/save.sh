# Keep the .debs of both sides of a change: `<folder> <spare kilobytes> <before|after> <package:arch=version>…`
# (package as apt names it). Prints a line a file: side, package, version, path, bytes, sha256, where it came from.
folder=$1
spare=$2
shift 2
mkdir -p "$folder/before" "$folder/after" || exit
chmod 755 "${folder%/*}" "$folder" "$folder/before" "$folder/after"

list() { while [ $# -gt 1 ]; do echo "$1 ${2%%=*} ${2#*=}"; shift 2; done; }
wanted=$(list "$@")

missing() {
    echo "$wanted" | while read -r side package version; do
        [ -e "$folder/$side/$(file_of "$package" "$version")" ] || echo "$side $package $version"
    done
}

free() { df -Pk "$1" | awk 'NR == 2 { print $4 }'; }
need_space() { # kilobytes, folder, what for
    if [ "$(free "$2")" -lt "$1" ]; then
        say "no space: $3 needs $(($1 / 1024)) MB in $2, $(($(free "$2") / 1024)) MB are free"
        exit 28
    fi
}

missing | while read -r side package version; do
    cached=/var/cache/apt/archives/$(file_of "$package" "$version")
    # A name appears only with the whole file behind it: what a killed run left must not look saved.
    [ ! -e "$cached" ] || { cp "$cached" "$folder/part" && mv "$folder/part" "$folder/$side/${cached##*/}"; }
done

# Download into a folder, whole files only: `fetch <folder> <package=version>…`.
fetch() {
    into=$1
    shift
    made=$(mktemp -d "$folder/fetch.XXXXXX")
    (cd "$made" && apt-get -q -o APT::Sandbox::User=root download "$@") && mv "$made"/*.deb "$into/"
    code=$?
    rm -rf "$made"
    return $code
}

# One call tells what the repositories still have; asking for a version they lack would fail the whole download.
# Lists from before the set was frozen do not know its versions: only then are they refreshed.
offered() {
    # shellcheck disable=SC2046 - one word a package
    apt-cache madison $(echo "$lacking" | awk '{ print $2 }' | sort -u) | awk -F' *[|] *' '{ gsub(/ |:.*/, "", $1); print $1, $2 }'
}
unknown() { echo "$lacking" | while read -r side package version; do
    [ "$side" = before ] || echo "$have" | grep -qxF "${package%%:*} $version" || echo "$package"
done; }
lacking=$(missing)
if [ -n "$lacking" ]; then
    have=$(offered)
    if [ -n "$(unknown)" ]; then
        apt-get -q update >&2
        have=$(offered)
    fi
    for side in before after; do
        names=$(echo "$lacking" | awk -v side="$side" '$1 == side' | while read -r _ package version; do
            echo "$have" | grep -qxF "${package%%:*} $version" && echo "$package=$version"
        done)
        [ -n "$names" ] || continue
        # shellcheck disable=SC2086
        bytes=$(apt-get -q download --print-uris $names | awk '{ sum += $3 } END { printf "%.0f", sum }')
        need_space $((bytes / 1024 + spare)) "$folder" "saving the packages"
        # shellcheck disable=SC2086
        fetch "$folder/$side" $names >&2
    done
fi

# Make a package again from what is installed: `repack <package> <the .deb>`.
repack() {
    root=$(mktemp -d "$folder/repack.XXXXXX")
    chmod 755 "$root"
    mkdir "$root/DEBIAN"
    dpkg-query -s "$1" | awk '/^(Status|Config-Version|Triggers-Awaited|Triggers-Pending):/ { skip = 1; next }
        /^Conffiles:/ { skip = 1; next } /^[^ ]/ { skip = 0 } !skip' >"$root/DEBIAN/control"
    for part in $(dpkg-query --control-list "$1"); do
        cp -p "$(dpkg-query --control-path "$1" "$part")" "$root/DEBIAN/$part"
    done
    # A top folder that is a link today (/lib) is a folder in the package; files that are gone stay out.
    dpkg-query -L "$1" | while read -r path; do
        case $path in /. | /bin | /sbin | /lib | /lib32 | /lib64 | /libx32) ;;
        /*) [ ! -e "$path" ] && [ ! -L "$path" ] || echo "${path#/}" ;; esac
    done | tar -C / --no-recursion -cf - -T - | tar -C "$root" -xpf - || return
    if [ -e "$root/DEBIAN/conffiles" ]; then
        while read -r path; do [ ! -e "$root$path" ] || echo "$path"; done <"$root/DEBIAN/conffiles" >"$root/conffiles"
        mv "$root/conffiles" "$root/DEBIAN/conffiles"
    fi
    dpkg-deb -Zgzip -z1 --build "$root" "$2.part" && mv "$2.part" "$2" && touch "$2.repacked"
    code=$?
    rm -rf "$root"
    return $code
}

# A repository that dropped the installed version, as most do, leaves one way.
missing | while read -r side package version; do
    [ "$side" = before ] || continue
    [ "$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$package")" = "installed $version" ] || continue
    size=$(dpkg-query -W -f='${Installed-Size}' "$package")
    need_space $((${size:-0} * 2 + spare)) "$folder" "saving $package"
    repack "$package" "$folder/before/$(file_of "$package" "$version")" >&2
done || exit

for deb in "$folder"/after/*.deb; do
    [ ! -e "$deb" ] || dpkg-deb -f "$deb" Installed-Size
done | awk -v spare="$spare" '{ sum += $1; if ($1 > most) most = $1 } END { print sum + most + spare }' | {
    read -r kilobytes
    need_space "$kilobytes" /usr "unpacking the packages"
} || exit

echo "$wanted" | while read -r side package version; do
    deb=$folder/$side/$(file_of "$package" "$version")
    if [ ! -e "$deb" ]; then
        printf '%s\t%s\t%s\t-\t0\t-\tmissing\n' "$side" "$package" "$version"
        continue
    fi
    how=saved
    [ ! -e "$deb.repacked" ] || how=repacked
    sum=$(sha256sum <"$deb")
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$side" "$package" "$version" "$deb" "$(stat -c %s "$deb")" "${sum%% *}" "$how"
done
