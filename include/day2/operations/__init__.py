"""One module an operation: plan, act, undo and facts as plain functions."""
