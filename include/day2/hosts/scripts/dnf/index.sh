# dnf installs the saved files by their names: there is nothing to index. The rpm database must be readable.
rpm -q rpm >/dev/null || rpm -qa >/dev/null
