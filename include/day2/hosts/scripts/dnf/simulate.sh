# What dnf would do to install exactly these `package=version`, in apt's words. Asks dnf's own library: what the
# program prints is laid out for a person.
"$(python_of_dnf)" -c '
import sys
import dnf, dnf.exceptions, dnf.rpm

base = dnf.Base()
base.conf.substitutions.update_from_etc("/")
base.conf.substitutions["releasever"] = base.conf.substitutions.get("releasever") or dnf.rpm.detect_releasever("/")
base.conf.cacheonly = True
base.conf.install_weak_deps = False
base.read_all_repos()
base.fill_sack()
installed = {(each.name, each.arch): each.evr for each in base.sack.query().installed()}
for asked in sys.argv[1:]:
    package, version = asked.split("=", 1)
    name, arch = package.rsplit(".", 1)
    try:
        base.install(f"{name}-{version}.{arch}")
    except dnf.exceptions.MarkingError:
        print(asked)
        sys.exit(f"there is no {name} {version}")
try:
    base.resolve()
except dnf.exceptions.DepsolveError as error:
    sys.exit(str(error))
coming = {(each.name, each.arch): each for each in base.transaction.install_set}
if going := [str(each) for each in base.transaction.remove_set if (each.name, each.arch) not in coming]:
    sys.exit(f"Packages need to be removed: {going}")
for (name, arch), each in coming.items():
    before = f"[{installed[name, arch]}] " if (name, arch) in installed else ""
    print(f"Inst {name} {before}({each.evr} {each.reponame} [{arch}])")
' "$@"
