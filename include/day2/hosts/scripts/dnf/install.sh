# Install exactly the frozen set: `<folder> <seconds to wait for the lock> <package.arch=version>…`. Runs detached.
# No repository is asked, so nothing newer can slip in; the files' signatures count as they do for the repositories.
folder=$1
seconds=$2
shift 2
for each in "$@"; do
    package=${each%%=*}
    version=${each#*=}
    # A file's name has no epoch.
    set -- "$@" "$folder/after/${package%.*}-${version#*:}.${package##*.}.rpm"
    shift
done
wait_for_lock "$seconds"
signed=$(dnf -q config-manager --dump 2>/dev/null | sed -n 's/^gpgcheck = //p')
exec dnf -y --disablerepo='*' --setopt=install_weak_deps=False --setopt=localpkg_gpgcheck="${signed:-1}" \
    install "$@"
