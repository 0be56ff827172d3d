"""Undeclared text keys: which values may be shown."""
