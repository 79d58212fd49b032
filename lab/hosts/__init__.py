"""Hosts that can really be patched, on one machine: own addresses, real SSH, dpkg, apt and reboots.

Each host is a set of Linux namespaces over one shared Debian tree. What a host writes is in memory and
ends with it; its supervisor owns every namespace, mount and process, so nothing can outlive that one.
"""
