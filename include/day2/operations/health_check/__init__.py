"""Looking at everything every few minutes: samples, levels, alerts."""
