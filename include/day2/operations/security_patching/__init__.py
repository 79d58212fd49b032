"""Security patching: the same tested versions for every host, in waves, with a way back."""
