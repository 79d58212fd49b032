"""Environments, targets and policies: typed models, loading, selecting, JSON Schema."""
