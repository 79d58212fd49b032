# Put in front of every script.
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
# Nobody is there to answer: no question of debconf, of ucf, of needrestart, and changed configuration files stay.
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true UCF_FORCE_CONFFOLD=1
export NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none
umask 022

# The file of a package in a cache: `file_of <name[:arch]> <version>`. Without an architecture it is for all.
file_of() {
    case $1 in *:*) arch=${1#*:} ;; *) arch=all ;; esac
    printf '%s_%s_%s.deb' "${1%%:*}" "$(echo "$2" | sed 's/:/%3a/g')" "$arch"
}

say() { echo "day2: $*"; }

# Whoever holds an fcntl lock is in /proc/locks. Its device and inode differ from stat's on overlay and btrfs,
# so the holder's open files say which lock it is.
lock_holders() {
    awk '$2 == "POSIX" && $4 == "WRITE" && $5 > 0 { print $5 }' /proc/locks | sort -u | while read -r pid; do
        for fd in /proc/"$pid"/fd/*; do
            case $(readlink "$fd") in
            /var/lib/dpkg/lock | /var/lib/dpkg/lock-frontend | /var/lib/rpm/.rpm.lock)
                printf '%s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
                break
                ;;
            esac
        done
    done
}

# Waits until nobody holds the package manager's lock: `wait_for_lock <seconds>`. Exit code 75: still held.
wait_for_lock() {
    until=$(($(date +%s) + $1))
    holder=$(lock_holders)
    [ -z "$holder" ] || say "waiting up to $1 s for the package manager's lock, held by $holder"
    while [ -n "$holder" ]; do
        if [ "$(date +%s)" -ge "$until" ]; then
            say "lock held by $holder"
            exit 75
        fi
        sleep 0.5
        holder=$(lock_holders)
    done
}

# The Python that dnf itself is written in: RHEL 8 keeps it out of the way.
python_of_dnf() { [ -x /usr/libexec/platform-python ] && echo /usr/libexec/platform-python || echo python3; }

repair() {
    [ -n "$(dpkg --audit)" ] || return 0
    say "an earlier dpkg was interrupted; finishing it with dpkg --configure -a"
    dpkg --force-confdef --force-confold --configure -a
}

# apt that sees only the frozen set: what is installed, and the .debs of this folder. `frozen <folder> <command>…`
frozen() {
    folder=$1
    shift
    apt-get -q -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
}
