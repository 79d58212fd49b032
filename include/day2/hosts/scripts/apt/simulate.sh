# What apt would do to install exactly these `package=version`. If it cannot, the ones it cannot install alone.
said=$(apt-get -q --simulate --no-remove --allow-downgrades --no-install-recommends install "$@" 2>&1) && {
    echo "$said"
    exit 0
}
for each in "$@"; do
    apt-get -q --simulate --no-remove --allow-downgrades --no-install-recommends install "$each" >/dev/null 2>&1 || echo "$each"
done
echo "$said" | grep -v '^\(Reading\|Building\)' >&2
exit 1
