"""Scaling within bounds: more or less of something, or a larger or smaller one."""
