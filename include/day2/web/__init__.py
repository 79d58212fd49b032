"""What the API server shows of Day 2: its pages and its metrics."""
