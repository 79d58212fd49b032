"""Side-by-side measurements against the bare tools: each part is a command, `python -m bench <part>`."""
