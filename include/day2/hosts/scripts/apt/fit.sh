# How what is installed compares with these `package=version`: package, installed version, and whether it is
# older, same or newer; held, absent or not.
held=$(apt-mark showhold)
for each in "$@"; do
    package=${each%%=*}
    version=${each#*=}
    have=$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$package" 2>/dev/null)
    case $have in
    '' | 'not-installed'* | 'config-files'*) relation=absent ;;
    *)
        if echo "$held" | grep -qx "${package%%:*}\(:${package#*:}\)\{0,1\}"; then
            relation=held
        elif [ "${have% *}" = installed ] && dpkg --compare-versions "${have#* }" eq "$version"; then
            relation=same
        elif dpkg --compare-versions "${have#* }" gt "$version"; then
            relation=newer
        else
            relation=older
        fi
        ;;
    esac
    printf '%s\t%s\t%s\n' "$package" "${have#* }" "$relation"
done
