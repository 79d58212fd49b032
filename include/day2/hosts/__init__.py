"""How to do things to a Linux host."""
