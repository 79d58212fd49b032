# What the new packages say about themselves: `<folder>`. A `@package version` line each, then the headings and the
# advisory ids of its changelog, newest first. No network: the changelog is in the saved file.
for deb in "$1"/after/*.deb; do
    [ -e "$deb" ] || continue
    printf '@%s %s\n' "$(dpkg-deb -f "$deb" Package)" "$(dpkg-deb -f "$deb" Version)"
    # Debian and Ubuntu compress it; gzip -f passes on what is not compressed.
    dpkg-deb --fsys-tarfile "$deb" | tar -xOf - --wildcards './usr/share/doc/*/changelog.Debian*' 2>/dev/null |
        gzip -dcf 2>/dev/null | grep -oE '^[a-z0-9][^ ]* \([^)]*\).*urgency=[a-z]+|(CVE|DSA|USN)-[0-9]+-[0-9]+' | head -n 2000
done
exit 0
