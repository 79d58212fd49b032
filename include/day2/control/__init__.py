"""The plan, approvals and what may stop a run before it touches anything."""
