# Make the saved .debs of the new side a repository of its own: `<folder>`. apt then sees the frozen set and
# nothing else, so nothing newer can slip in. Its files' hashes were checked when they were saved.
folder=$1
for deb in "$folder"/after/*.deb; do
    [ -e "$deb" ] || continue
    dpkg-deb -f "$deb"
    sum=$(sha256sum <"$deb")
    printf 'Filename: ./after/%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" "${sum%% *}"
done >"$folder/Packages.new" || exit
mv "$folder/Packages.new" "$folder/Packages"
mkdir -p "$folder/lists/partial"
echo "deb [trusted=yes] file:$folder ./" >"$folder/sources.list"
frozen "$folder" -o APT::Sandbox::User=root update
