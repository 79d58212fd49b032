# What this host looks like to patching, in `@section` blocks. Arguments: seconds to wait for the lists' lock,
# `refresh` or `cached`. It changes nothing but the package manager's own lists of what the repositories offer.
wait_seconds=$1
lists=$2
section() { printf '\n@%s\n' "$1"; }

section clock
date +%s.%N

section host
. /etc/os-release
printf 'os=%s\ncodename=%s\n' "$PRETTY_NAME" "${VERSION_CODENAME:-}"
printf 'kernel=%s\n' "$(uname -r)"
printf 'boot_id=%s\n' "$(cat /proc/sys/kernel/random/boot_id)"

section disk
for folder in / /var /usr /boot; do
    [ ! -d "$folder" ] || printf '%s %s\n' "$folder" "$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')"
done

section lock
lock_holders

scan_apt() {
    section manager
    echo apt

    section update
    if [ "$lists" = refresh ]; then
        deadline=$(($(date +%s) + wait_seconds))
        while :; do
            said=$(apt-get update -q -o APT::Update::Error-Mode=any -o Acquire::Retries=1 2>&1)
            code=$?
            case $said in
            *"Could not get lock"*) [ "$(date +%s)" -lt "$deadline" ] && sleep 1 && continue ;;
            esac
            break
        done
        printf '%s\nexit %s\n' "$said" "$code"
    else
        echo 'exit 0'
    fi

    section packages
    dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${db:Status-Abbrev}\n'
    section held
    apt-mark showhold
    section automatic
    apt-mark showauto
    section archives
    apt-cache policy
    section candidates
    native=$(dpkg --print-architecture)
    names=$(apt list --upgradable 2>/dev/null | sed -n 's|^\([^/ ]*\)/[^ ]* [^ ]* \([^ ]*\) \[.*|\1 \2|p' |
        while read -r name arch; do
            case $arch in "$native" | all) echo "$name" ;; *) echo "$name:$arch" ;; esac
        done)
    # shellcheck disable=SC2086 - one word a package
    [ -z "$names" ] || apt-cache policy $names
    section native
    echo "$native"
    section audit
    dpkg --audit
    section reboot
    [ ! -e /run/reboot-required ] || echo required
    [ ! -e /run/reboot-required.pkgs ] || sort -u /run/reboot-required.pkgs
    section kernels
    ls /boot/vmlinuz-* 2>/dev/null | sed 's|.*/vmlinuz-||' | sort -V
    section advisories
    if [ -e /var/lib/day2/advisories ]; then
        cat /var/lib/day2/advisories
    elif command -v debsecan >/dev/null; then
        timeout 30 debsecan --suite "$VERSION_CODENAME" --only-fixed --format simple 2>/dev/null
    fi
}

scan_dnf() {
    section manager
    echo dnf
    section update
    if [ "$lists" = refresh ]; then
        # dnf forgives a repository that is away and has one error less to tell; here it must not.
        dnf -q --refresh --setopt='*.skip_if_unavailable=False' makecache 2>&1
        echo "exit $?"
    else
        echo 'exit 0'
    fi
    section packages
    rpm -qa --queryformat '%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n'
    section held
    dnf -q versionlock list 2>/dev/null
    section user_installed
    dnf -q -C repoquery --userinstalled --queryformat '%{name}' 2>/dev/null
    section candidates
    # Not `dnf list`: it breaks lines where names are long.
    dnf -q -C repoquery --upgrades --latest-limit=1 --queryformat '%{name}\t%{arch}\t%{evr}\t%{repoid}' 2>/dev/null
    section advisories
    dnf -q -C updateinfo list --updates 2>/dev/null
    section cves
    dnf -q -C updateinfo list --updates --with-cve 2>/dev/null
    section audit
    dnf -q -C check 2>/dev/null
    section reboot
    # 1 says yes; it lists what for as `  * kernel`. Anything else: the plugin is not there.
    said=$(dnf -q -C needs-restarting -r 2>/dev/null)
    [ $? != 1 ] || { echo required; echo "$said"; }
}

if command -v apt-get >/dev/null; then
    scan_apt
elif command -v dnf >/dev/null; then
    scan_dnf
else
    section manager
    echo none
fi

section end
date +%s.%N
