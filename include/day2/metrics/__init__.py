"""Samples in and out, thresholds: what health checks see, and when that is worth waking somebody."""
