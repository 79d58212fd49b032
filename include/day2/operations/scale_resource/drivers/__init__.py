"""How the size of each kind of resource is read and changed."""
