"""Day 2: operations that keep running systems healthy after launch."""

__version__ = "0.1.0"
