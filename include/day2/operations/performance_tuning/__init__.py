"""Performance tuning: evidence, one change at a time, measured, and reverted when it does not help."""
